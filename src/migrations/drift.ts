/** Compares a database with what its applied migrations make, and writes the way back as SQL. Reads only. */
import type { Engine, Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { Difference } from '../schema/diff.ts'
import { qualified, type Schema } from '../schema/model.ts'
import type { ScratchServer } from './apply-on-scratch.ts'
import { adoptionOf } from './adopt/record.ts'
import { hasChanged } from './checksum.ts'
import type { Comparison } from './compare.ts'
import { readStanding, readStoredSql } from './history.ts'
import { loadMigrations } from './load.ts'
import {
  type Attempt,
  label,
  type Migration,
  type MigrationFolder,
  type VersionHistory,
  versionKey,
} from './migration.ts'
import { fileGone } from './refusals.ts'
import { standingRepeatables } from './repeat-standing.ts'
import { lookAt, onScratch } from './scratch.ts'
import { spellDifference, wholes } from './spell.ts'

export interface DriftOptions {
  readonly track: string
  readonly folder: string | MigrationFolder
  /** Where scratch databases are made. */
  readonly scratch: ScratchServer
  /** Tables and views that something else than migrations makes there. */
  readonly others?: readonly { readonly schema: string; readonly name: string }[]
  readonly actor: string
  readonly signal?: AbortSignal | undefined
}

export interface DriftReport {
  readonly format: 1
  readonly track: string
  readonly status: 'none' | 'found'
  /** The newest applied version. */
  readonly version: string
  /** From what the migrations make to what the database has. */
  readonly differences: readonly Difference[]
  /** A script that leads the database back, in one transaction; what it cannot do is a comment. Empty without differences. */
  readonly sql: string
  readonly notices: readonly string[]
}

/** Throws HISTORY_UNKNOWN where nothing was ever applied, FILE_GONE, and what applying on the scratch database throws. */
export async function findDrift(session: Session, options: DriftOptions): Promise<DriftReport> {
  const { track, scratch, actor, signal } = options
  const folder =
    typeof options.folder === 'string'
      ? await loadMigrations(options.folder, { dialect: session.engine.name })
      : options.folder
  const { history, repeatables } = await readStanding(session, track)
  const applied = history.filter(one => one.state === 'applied')
  const version = applied.at(-1)?.version
  if (version === undefined) throw nothingApplied(session, track)
  const migrations = await Promise.all(applied.map(one => asApplied(session, one, folder)))
  const standing = await standingRepeatables(session, folder, repeatables)
  const live = await lookAt(session)
  const adoptions = applied.flatMap(one => adoptionOf(one.applied) ?? [])
  const histories = adoptions.flatMap(({ table }) => table ?? [])
  const schemas = [...new Set(adoptions.flatMap(one => one.schemas ?? []))]
  const comparison = await onScratch(
    { ...scratch, track, actor, signal, schemas, ran: true },
    async ({ make, compare }) => {
      const made = await make(migrations, standing)
      return compare(made, { ...live, catalog: withoutOthers(live.catalog, made, options.others ?? []) }, histories)
    },
  )
  const { differences } = comparison
  return {
    format: 1,
    track,
    status: differences.length === 0 ? 'none' : 'found',
    version,
    differences,
    sql: differences.length === 0 ? '' : await wayBack(session.engine, comparison),
    notices: [...history, ...repeatables].flatMap(one =>
      one.unfinished && lasts(one.unfinished) ? [halfWay(one)] : [],
    ),
  }
}

/** Without what others make in this database, and the schemas that they make for it. */
function withoutOthers(
  live: Schema,
  made: Schema,
  others: readonly { readonly schema: string; readonly name: string }[],
): Schema {
  const own = new Set([...made.tables, ...made.views].map(qualified))
  const foreign = new Set(others.map(qualified).filter(name => !own.has(name)))
  const schemas = new Set(
    others.map(({ schema }) => schema).filter(name => !made.schemas.some(one => one.name === name)),
  )
  const known = new Set(made.others?.map(nameOf))
  const kept = live.others?.filter(one => !ofTools.has(one.kind) || known.has(nameOf(one)))
  const gone = new Set(live.others?.filter(one => !kept?.includes(one)).map(nameOf))
  return {
    ...live,
    tables: live.tables.filter(table => !foreign.has(qualified(table))),
    views: live.views.filter(view => !foreign.has(qualified(view))),
    schemas: live.schemas.filter(({ name }) => !schemas.has(name)),
    ...(kept ? { others: kept } : {}),
    ...(live.settings ? { settings: live.settings.filter(({ object }) => !gone.has(object)) } : {}),
    ...(live.comments ? { comments: live.comments.filter(({ object }) => !gone.has(object)) } : {}),
  }
}

/** What replication tools and platforms make for a whole database; where no migration makes it, it is theirs. */
const ofTools: ReadonlySet<string> = new Set(['publication', 'subscription', 'event trigger'])

function nameOf({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind} ${name}`
}

/** As it ran: the file while it is what was applied, else the SQL that was kept. */
async function asApplied(session: Session, one: VersionHistory, folder: MigrationFolder): Promise<Migration> {
  const file = folder.migrations.find(migration => versionKey(migration.version) === versionKey(one.version))
  const attempt = one.applied
  if (file && (attempt?.upChecksum == null || !hasChanged(file.up, attempt.upChecksum))) return file
  const text = attempt === null ? null : await readStoredSql(session, attempt.id, 'up')
  if (text === null) throw fileGone(one)
  const up = { file: `${label(one)} (kept in the history)`, text, checksum: attempt?.upChecksum ?? '' }
  return { version: one.version, slug: one.slug, up, down: null, upOnly: true }
}

async function wayBack(engine: Engine, { made, live, differences }: Comparison): Promise<string> {
  const changes = (await engine.writeChanges?.(live, made)) ?? []
  const notes = changes.filter(change => change.kind === 'note').map(({ text }) => `-- ${text}`)
  const statements = changes.filter(change => change.kind === 'statement').map(({ text }) => `${text};`)
  if (statements.length > 0) return [...notes, 'begin;', ...statements, 'commit;', ''].join('\n')
  const words = wholes(differences).map(one => `-- ${spellDifference(one)}`)
  return ['-- No statement leads back:', ...words, ...notes, ''].join('\n')
}

function nothingApplied(session: Session, track: string): PlinthError {
  return new PlinthError(
    'HISTORY_UNKNOWN',
    `Nothing of ${track} is applied on ${session.address}, so nothing can differ.`,
    {
      at: { object: session.address },
      hint: 'plinth apply; for a database that another tool migrated plinth adopt, for a bare one plinth baseline VERSION.',
    },
  )
}

/** A transactional attempt that failed left nothing; one statement by statement has its cursor, or a note of what it had begun. */
function lasts({ cursor, note }: Attempt): boolean {
  return cursor > 0 || note !== null
}

function halfWay(one: VersionHistory): string {
  return `${label(one)} has an attempt that did not end well; what lasts of it counts as drift.`
}

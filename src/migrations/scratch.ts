/** What a set of migrations makes, tried on a database that lives for that alone. */
import { randomBytes } from 'node:crypto'
import { withRollback, withSession } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import type { Schema } from '../schema/model.ts'
import { quotedName } from '../sql/tree.ts'
import { withoutGivenBetween } from './between-versions.ts'
import { compareCatalogs, type Comparison } from './compare.ts'
import type { Migration } from './migration.ts'
import { type Theirs, withoutTheirsOnBoth } from './ours.ts'
import { layPrelude } from './prelude.ts'
import { respelled } from './respell.ts'
import { applyOnScratch, makeSchemas, type ScratchServer } from './apply-on-scratch.ts'
import { dropRoles, forScratch } from './server-wide/index.ts'

/** The scratch database is made beside that of the URL, and dropped afterwards. */
export interface ScratchPlace extends ScratchServer {
  readonly track: string
  readonly actor: string
  readonly signal?: AbortSignal | undefined
  /** Schemas that were there before the first migration. */
  readonly schemas?: readonly string[]
  /** The migrations ran on a database whose path is known: a schema of the path that is missing there was not needed. */
  readonly ran?: boolean
}

export interface Scratchpad {
  /** Answers the catalog after more and more migrations were applied: each list holds those before it. */
  readonly make: (migrations: readonly Migration[], repeatables?: readonly Migration[]) => Promise<Schema>
  /** Holds what was made last against a database, but for what the prelude made. `histories` are the tables of other tools, by name. */
  readonly compare: (made: Schema, live: Live, histories: readonly string[]) => Promise<Comparison>
}

/** A database that lives, and the major version of its server. */
export interface Live {
  readonly catalog: Schema
  readonly serverVersion: number
  /** Who runs migrations there; null where the engine knows no roles. */
  readonly runner: string | null
}

export async function lookAt(session: Session): Promise<Live> {
  const { engine, serverVersion } = session
  const catalog = await session.introspect()
  if (!engine.can.postgresSyntax) return { catalog, serverVersion, runner: null }
  const { rows } = await session.query<{ name: string }>('select current_user::text as name')
  return { catalog, serverVersion, runner: rows[0]?.name ?? null }
}

/** Throws what applying throws, with the place of the file, and PRELUDE_FAILED. */
export async function onScratch<T>(place: ScratchPlace, work: (pad: Scratchpad) => Promise<T>): Promise<T> {
  const { engine, url, track, actor, signal, schemas = [], pathSchemas = [], prelude = [] } = place
  const scratch = await engine.createScratch(url, `plinth_proof_${randomBytes(6).toString('hex')}`)
  // A warehouse spells what it has just made in another way than what it reads again, so each look at it is a session of its own.
  const inSession = <R>(look: (session: Session) => Promise<R>): Promise<R> =>
    withSession(engine, scratch.url, { applicationName: 'plinth proof' }, look)
  const roles: string[] = []
  let last: readonly Migration[] = []
  let theirs: Theirs | null = null
  const make = async (migrations: readonly Migration[], repeatables: readonly Migration[] = []) => {
    await inSession(async session => {
      if (!place.ran || place.pathSchemas === undefined) await makePath(session, migrations)
      // What is proved was applied long ago; whether it could be taken back is another question.
      const upwards = migrations.map(one => ({ ...one, upOnly: true }))
      const given = { folder: '', warnings: [], migrations: upwards, repeatables }
      const fitted = await forScratch(session, given)
      const { repeatables: standing = [], ...folder } = fitted.folder
      last = standing
      roles.push(...fitted.roles)
      const run = { track, folder, actor, signal, command: 'prove', allowOutOfOrder: true, preserve: 'off' as const }
      const { error } = await applyOnScratch(session, run, place.missingRoles)
      if (error) throw error
    })
    return inSession(session => catalogWith(session, last))
  }
  const compare = async (all: Schema, live: Live, histories: readonly string[]) => {
    const [mine, there] = theirs ? withoutTheirsOnBoth(all, live.catalog, theirs) : [all, live.catalog]
    const [made, catalog] = [withoutRightsOf(mine, live.runner), withoutRightsOf(there, live.runner)]
    const comparison = compareCatalogs(made, catalog, histories)
    if (comparison.differences.length === 0 || !engine.writeChanges) return comparison
    return inSession(async session => {
      const prepare = () => runAll(session, last)
      const spelled = await respelled(session, comparison.made, catalog, prepare)
      const [own, other] = withoutGivenBetween(session.serverVersion, live.serverVersion, [made, spelled])
      return compareCatalogs(own, other, histories)
    })
  }
  try {
    if (prelude.length > 0) theirs = await inSession(session => layPrelude(session, prelude, place.missingRoles))
    const before = [...pathSchemas, ...schemas]
    if (before.length > 0) await inSession(session => makeSchemas(session, before))
    return await work({ make, compare })
  } finally {
    await scratch.drop()
    await dropRoles(engine, url, roles)
  }
}

/** Who migrates was let into schemas before, or there would be no migrations. */
function withoutRightsOf(schema: Schema, runner: string | null): Schema {
  const schemas = schema.schemas.map(one => ({ ...one, grants: one.grants.filter(({ role }) => role !== runner) }))
  return { ...schema, schemas }
}

/** A connection whose path has one schema finds it on every real database, where somebody made it before the first migration. */
async function makePath(session: Session, migrations: readonly Migration[]): Promise<void> {
  if (!session.engine.can.postgresSyntax) return
  const { rows } = await session.query<{ schema: string }>(
    `select btrim(one, ' "') as schema
    from unnest(string_to_array(current_setting('search_path'), ',')) with ordinality path (one, place)
    where current_schemas(false) = '{}' and btrim(one, ' "') not in ('', '$user')
    order by place
    limit 1`,
  )
  const [first] = rows
  if (!first) return
  const makes = /\bcreate\s+schema\s+(?!if\s)"?([^\s";]+)/gi
  const own = migrations.some(({ up }) => [...up.text.matchAll(makes)].some(([, name]) => name === first.schema))
  if (!own) await session.query(`create schema ${quotedName([first.schema])}`)
}

/** Scripts that run after every run are gone again afterwards, so that the next list begins without them. */
async function catalogWith(session: Session, repeatables: readonly Migration[]): Promise<Schema> {
  if (repeatables.length === 0) return session.introspect()
  return withRollback(session, async () => {
    await runAll(session, repeatables)
    return session.introspect()
  })
}

async function runAll(session: Session, repeatables: readonly Migration[]): Promise<void> {
  for (const { up } of repeatables)
    await session.script(up.text).catch((thrown: unknown) => {
      const error = asPlinthError(thrown)
      const { code, message, hint, sqlState, details } = error
      throw new PlinthError(code, message, { at: { file: up.file }, hint, sqlState, details, cause: error })
    })
}

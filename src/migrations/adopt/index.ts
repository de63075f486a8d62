/**
 * Takes over the history of another tool, or none: what it says is proved against the catalog, written down, and gone on from. Nothing is run
 * again, and the other tool's table stays as it is. Running it again takes over what the other tool applied since, and else does nothing.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type LockKind, withLock } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Difference } from '../../schema/diff.ts'
import { type Clock, type Emit, silent } from '../../telemetry/event.ts'
import type { ScratchServer } from '../apply-on-scratch.ts'
import { readStanding } from '../history.ts'
import { ensureLedger } from '../ledger.ts'
import { loadMigrations } from '../load.ts'
import {
  compareVersions,
  isVersion,
  label,
  type Migration,
  type MigrationFolder,
  type VersionHistory,
  versionKey,
} from '../migration.ts'
import { lookAt } from '../scratch.ts'
import { refuseShifted } from '../select.ts'
import { findHistory, type FoundHistory, ownsSchemaOf, readForeign } from './find.ts'
import { type Candidate, candidatesOf, isOfTheFile, type Proof, prove } from './prove.ts'
import { type Adopted, recordAdoption } from './record.ts'
import { type ForeignRepeatables, repeatablesOf } from './repeatables.ts'
import { baselineWithoutFiles, filesMissing, mismatch, undecided, versionNotThere } from './refusals.ts'
import type { ForeignHistory, ToolName } from './tool.ts'

export interface AdoptOptions {
  readonly track: string
  readonly folder: string | MigrationFolder
  /** Where scratch databases are made. */
  readonly scratch: ScratchServer
  readonly actor: string
  /** `baseline` needs a version; else the tool is found by its table when there is one. */
  readonly from?: ToolName | 'baseline' | undefined
  /** Where its table has a name of its own. */
  readonly table?: string | undefined
  /** The version that the database is at: for a baseline, and where a catalog cannot tell. */
  readonly version?: string | undefined
  /** `accept` takes over all the same when the catalog differs, and writes the differences down. */
  readonly drift?: 'refuse' | 'accept' | undefined
  readonly emit?: Emit | undefined
  readonly signal?: AbortSignal | undefined
  readonly lockWaitMs?: number | undefined
  /** Default `auto`: a lease behind a pooler, else a session lock. */
  readonly lock?: LockKind | undefined
  readonly leaseMs?: number | undefined
  readonly toolVersion?: string | undefined
  readonly traceId?: string | undefined
  readonly clock?: Clock | undefined
}

export interface AdoptReport {
  readonly format: 1
  readonly track: string
  readonly status: 'adopted' | 'nothing-to-do'
  readonly from: ToolName | 'baseline'
  /** Its table; null for a baseline. */
  readonly table: string | null
  /** The newest version that the database is at now; null when nothing is applied. */
  readonly version: string | null
  readonly adopted: readonly { readonly version: string; readonly slug: string; readonly at: string | null }[]
  /** What the history did not know, and how the catalog decided; null when it was sure. */
  readonly doubt: { readonly meaning: string; readonly verdict: string } | null
  /** Accepted ones; empty when the catalogs are equal. */
  readonly differences: readonly Difference[]
  readonly notices: readonly string[]
}

/** Throws HISTORY_UNKNOWN, FILE_GONE, VERSION_UNKNOWN, ADOPT_MISMATCH, and what applying on the scratch database throws. */
export async function adopt(session: Session, options: AdoptOptions): Promise<AdoptReport> {
  const folder =
    typeof options.folder === 'string'
      ? await loadMigrations(options.folder, { dialect: session.engine.name })
      : options.folder
  const source = await openSource(session, folder, options)
  const candidates = await possible(session, folder, source, options)
  const { history: known, repeatables } = await readStanding(session, options.track)
  refuseShifted(folder.migrations, known)
  const isNew = newTo(known)
  const isNewRepeatable = newRepeatable(repeatables)
  const { same } = repeatablesOf(folder, source.history)
  if (!candidates.some(one => one.applied.some(isNew)) && !same.some(isNewRepeatable))
    return reportOf(options, folder, source, { adopted: [], version: newest(known), proof: null, impossible: null })
  const standing = new Set(repeatables.filter(({ applied }) => applied !== null).map(({ version }) => version))
  const own = (folder.repeatables ?? []).filter(({ version }) => standing.has(version))
  const meanings = { candidates: withOwn(candidates, folder, known), own }
  const { proof, impossible } = await decide(session, folder, source, meanings, options)
  const adopted = await write(session, source, { proof, repeatables: same }, options)
  return reportOf(options, folder, source, { adopted, version: proof.version, proof, impossible })
}

/** The history to take over, or what a baseline claims. */
export interface Source {
  readonly found: FoundHistory | null
  readonly history: ForeignHistory
}

async function openSource(session: Session, folder: MigrationFolder, options: AdoptOptions): Promise<Source> {
  const { from, table, version } = options
  if (from === 'baseline') {
    if (version === undefined)
      throw new PlinthError('USAGE', 'A baseline needs the version that the database is at.', {
        hint: 'plinth baseline VERSION',
      })
    return { found: null, history: { applied: [], upTo: version, doubt: null, notices: [] } }
  }
  const found = await findHistory(session, { from, table, layout: folder.layout })
  return { found, history: await readForeign(session, found, folder) }
}

/** What the history may mean, in files. */
async function possible(
  session: Session,
  folder: MigrationFolder,
  { found, history }: Source,
  { version, from }: AdoptOptions,
): Promise<Candidate[]> {
  const files = new Set(folder.migrations.map(migration => versionKey(migration.version)))
  const doubtful = history.doubt ? [history.doubt.version] : []
  const needless = new Set(['0', ...(history.isBaseline ? [versionKey(history.upTo ?? '0')] : [])])
  const named = [
    ...history.applied.map(row => row.version),
    ...doubtful,
    ...(history.upTo === null ? [] : [history.upTo]),
  ]
  const missing = named.filter(
    one => !isVersion(one) || (!needless.has(versionKey(one)) && !files.has(versionKey(one))),
  )
  if (missing.length > 0 && from === 'baseline') throw versionNotThere(missing[0] ?? '', folder.migrations)
  if (missing.length > 0) throw filesMissing(missing, found?.table ?? session.address)
  const rows = new Set(history.applied.map(row => versionKey(row.version)))
  const { upTo } = history
  const isApplied = (migration: Migration): boolean =>
    rows.has(versionKey(migration.version)) || (upTo !== null && compareVersions(migration.version, upTo) <= 0)
  const candidates = candidatesOf(folder.migrations, isApplied, history.doubt)
  if (version === undefined || from === 'baseline') return candidates
  const told = candidates.filter(one => versionKey(one.version ?? '0') === versionKey(version))
  if (told.length === 0) throw versionNotThere(version, candidates)
  return told
}

/** What ran here since is part of the catalog, and what was taken back here is not. */
function withOwn(
  candidates: readonly Candidate[],
  folder: MigrationFolder,
  known: readonly VersionHistory[],
): Candidate[] {
  const own = new Map(known.filter(didRun).map(one => [versionKey(one.version), one.state]))
  return candidates.map(({ applied }) => {
    const there = new Set(applied.map(one => versionKey(one.version)))
    const all = folder.migrations.filter(({ version }) => {
      const state = own.get(versionKey(version))
      return state === undefined ? there.has(versionKey(version)) : state === 'applied'
    })
    return { applied: all, version: all.at(-1)?.version ?? null }
  })
}

/** The one candidate whose files make what is there. */
async function decide(
  session: Session,
  folder: MigrationFolder,
  { found, history }: Source,
  { candidates, own }: { readonly candidates: readonly Candidate[]; readonly own: readonly Migration[] },
  options: AdoptOptions,
): Promise<{ readonly proof: Proof; readonly impossible: PlinthError | null }> {
  const { track, actor, signal, scratch, drift = 'refuse' } = options
  const live = await lookAt(session)
  const { ran, changed } = repeatablesOf(folder, history)
  const attempt = (repeatables: readonly Migration[]) =>
    prove(live, candidates, {
      ...scratch,
      track,
      actor,
      signal,
      repeatables,
      changed,
      histories: found ? [found.table] : [],
      schemas: schemasBefore({ found, history }),
    }).catch((error: unknown) => {
      throw history.isBaseline && isOfTheFile(error) ? baselineWithoutFiles(history.upTo ?? '', found, error) : error
    })
  const first = await attempt(ran === null ? (folder.repeatables ?? []) : [...new Set([...ran, ...own])])
  // Whoever knows of no repeatables may have made by hand what they make, or not.
  const isOpen = ran === null && (folder.repeatables ?? []).length > 0 && !first.proofs.some(isEqual)
  const second = isOpen ? await attempt(own) : first
  const { proofs, impossible } = second.proofs.some(isEqual) ? second : first
  const edited = editedSince(folder.migrations, history)
  const equal = proofs.filter(isEqual)
  const [match, other] = equal
  if (match && other) throw undecided(history.doubt?.meaning ?? '', match.version, other.version)
  const nearest = match ?? nearestOf(proofs)
  const differences = [...nearest.comparison.differences, ...edited]
  if (differences.length > 0 && (drift === 'refuse' || (!match && candidates.length > 1)))
    throw mismatch({ session, found, history, folder, proof: nearest, differences, several: candidates.length > 1 })
  return { proof: { ...nearest, comparison: { ...nearest.comparison, differences } }, impossible }
}

function isEqual({ comparison }: Proof): boolean {
  return comparison.differences.length === 0
}

/** A tool whose table has a schema of its own had that schema before its first file. */
function schemasBefore({ found, history }: Source): string[] {
  const own = found && found.schema !== 'public' && !ownsSchemaOf(found.tool, found.schema) ? [found.schema] : []
  return [...new Set([...own, ...(history.schemas ?? [])])]
}

/** Files that are not what the other tool ran, as far as it kept a checksum. */
function editedSince(migrations: readonly Migration[], history: ForeignHistory): Difference[] {
  return history.applied.flatMap(row => {
    const migration = migrations.find(one => versionKey(one.version) === versionKey(row.version))
    if (!migration || row.unchanged(migration.up)) return []
    return [{ change: 'changed', object: `file ${label(migration)}`, property: 'checksum', before: null, after: null }]
  })
}

function nearestOf(proofs: readonly Proof[]): Proof {
  const [nearest] = proofs.toSorted((a, b) => a.comparison.differences.length - b.comparison.differences.length)
  if (nearest) return nearest
  throw new PlinthError('INTERNAL', 'A history without a meaning cannot be proved.')
}

/** Under the lock the history may be another one by now; what somebody adopted meanwhile is left as it is. */
async function write(
  session: Session,
  source: Source,
  { proof, repeatables }: { readonly proof: Proof; readonly repeatables: ForeignRepeatables['same'] },
  options: AdoptOptions,
): Promise<Adopted[]> {
  const { emit = silent, signal, lockWaitMs = 600_000, lock, leaseMs, track, actor, from } = options
  const origin = originOf(options)
  const polling = { waitMs: lockWaitMs, emit, signal }
  const locking = { ...polling, kind: lock, leaseMs, owner: { actor, runId: origin.runId } }
  await ensureLedger(session, { emit, signal, lockWaitMs, lock })
  return withLock(session, `plinth:${track}`, locking, async held => {
    const standing = await readStanding(session, track)
    const isNew = newTo(standing.history)
    const rows = new Map(source.history.applied.map(row => [versionKey(row.version), row]))
    const versions = proof.applied.filter(isNew).map((migration): Adopted => {
      const row = rows.get(versionKey(migration.version))
      return { migration, at: row?.at ?? null, by: row?.by ?? null }
    })
    const repeated = repeatables.filter(newRepeatable(standing.repeatables))
    const adopted = [...versions, ...repeated.map(({ migration, row: { at, by } }) => ({ migration, at, by }))]
    if (adopted.length === 0) return []
    const command = from === 'baseline' ? 'baseline' : 'adopt'
    const accepted = proof.comparison.differences.map(({ change, object, property }) => ({ change, object, property }))
    const schemas = schemasBefore(source)
    const note = {
      from: source.found?.tool.name ?? 'baseline',
      table: source.found?.table ?? null,
      by: null,
      ...(schemas.length > 0 ? { schemas } : {}),
      accepted,
    }
    await recordAdoption(session, origin, adopted, { command, note, held, clock: options.clock })
    return adopted
  })
}

function originOf({ track, actor, toolVersion, traceId }: AdoptOptions) {
  return {
    runId: randomUUID(),
    track,
    actor,
    host: hostname(),
    toolVersion: toolVersion ?? 'unknown',
    traceId: traceId ?? null,
  }
}

/** What never ran here; of everything else this history knows better. An attempt that left nothing did not run. */
function newTo(known: readonly VersionHistory[]): (migration: Migration) => boolean {
  const ran = new Set(known.filter(didRun).map(one => versionKey(one.version)))
  return migration => !ran.has(versionKey(migration.version))
}

function newRepeatable(known: readonly VersionHistory[]): (one: { readonly migration: Migration }) => boolean {
  const standing = new Set(known.filter(({ applied }) => applied !== null).map(({ version }) => version))
  return ({ migration }) => !standing.has(migration.version)
}

function didRun({ state, unfinished }: VersionHistory): boolean {
  return state === 'applied' || unfinished === null || unfinished.cursor > 0 || unfinished.direction === 'down'
}

function newest(known: readonly VersionHistory[]): string | null {
  return known.findLast(one => one.state === 'applied')?.version ?? null
}

interface Result {
  readonly adopted: readonly Adopted[]
  readonly version: string | null
  readonly proof: Proof | null
  readonly impossible: PlinthError | null
}

function reportOf(
  { track }: AdoptOptions,
  folder: MigrationFolder,
  { found, history }: Source,
  { adopted, version, proof, impossible }: Result,
): AdoptReport {
  const from = found?.tool.name ?? 'baseline'
  const elsewhere =
    found && folder.layout !== undefined && folder.layout !== found.tool.layout && folder.migrations.length > 0
      ? [`The folder has the layout of ${folder.layout}, and ${found.table} was written by ${found.tool.name}.`]
      : []
  const shown = version === null ? 'The catalog shows that nothing is applied.' : `The catalog shows ${version}.`
  const place = impossible?.at?.file === undefined ? '' : ` at ${impossible.at.file}:${impossible.at.line ?? 1}`
  const verdict = impossible ? `${shown} What it was about to run fails${place}: ${impossible.message}` : shown
  return {
    format: 1,
    track,
    status: adopted.length > 0 ? 'adopted' : 'nothing-to-do',
    from,
    table: found?.table ?? null,
    version,
    adopted: adopted.map(({ migration, at }) => ({ version: migration.version, slug: migration.slug, at })),
    doubt: history.doubt && proof ? { meaning: history.doubt.meaning, verdict } : null,
    differences: proof?.comparison.differences ?? [],
    notices: [...folder.warnings, ...history.notices, ...repeatablesOf(folder, history).notices, ...elsewhere],
  }
}

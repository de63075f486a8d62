/** Where a track stands: the folder and the history side by side. Never loads the parser, so that it answers at once. */
import type { Session } from '../engines/engine.ts'
import { hasChanged } from './checksum.ts'
import { readStanding, type Standing } from './history.ts'
import { loadMigrations } from './load.ts'
import {
  type Attempt,
  compareVersions,
  type Migration,
  type MigrationFolder,
  type Repeats,
  type VersionHistory,
  versionKey,
} from './migration.ts'
import { isDue } from './repeat-due.ts'

export interface TrackStatus {
  readonly format: 1
  readonly track: string
  /** Newest applied version; null when nothing is applied. */
  readonly current: string | null
  /** Behind the versions those of the folder's repeatables, which are pending again once they changed. */
  readonly versions: readonly VersionStatus[]
  readonly counts: Readonly<Record<VersionState, number>>
  readonly warnings: readonly string[]
}

/**
 * `interrupted`: stopped half-way, the next run goes on. `failed`: the last attempt failed and nothing of it is left, or it waits at its cursor.
 * `changed`: applied, and its file was edited since. `gone`: applied, and its file is not in the folder.
 */
export type VersionState = 'applied' | 'pending' | 'failed' | 'interrupted' | 'changed' | 'gone'

export interface VersionStatus {
  readonly version: string
  readonly slug: string
  readonly state: VersionState
  readonly file: string | null
  /** Pending below the newest applied version, so apply refuses it unless it is allowed. */
  readonly outOfOrder: boolean
  /** It has a down, in a file or kept. */
  readonly reversible: boolean
  /** Of the last attempt, in UTC; null when there was none. */
  readonly at: string | null
  readonly actor: string | null
  readonly runId: string | null
  readonly durationMs: number | null
  readonly errorCode: string | null
  /** Of a repeatable: when it runs again. */
  readonly repeats?: Repeats
  /** Statements done, when it is interrupted or failed at a cursor. */
  readonly cursor: number
}

/** Reads only; a database without a history has everything pending. */
export async function readStatus(
  session: Session,
  options: { readonly track: string; readonly folder: string | MigrationFolder },
): Promise<TrackStatus> {
  const [folder, standing] = await Promise.all([
    typeof options.folder === 'string'
      ? loadMigrations(options.folder, { dialect: session.engine.name })
      : options.folder,
    readStanding(session, options.track),
  ])
  return compareStatus(options.track, folder, standing)
}

/** Pure. */
export function compareStatus(
  track: string,
  folder: MigrationFolder,
  { history, repeatables }: Pick<Standing, 'history' | 'repeatables'>,
): TrackStatus {
  const current = history.findLast(one => one.state === 'applied')?.version ?? null
  const files = new Map(folder.migrations.map(migration => [versionKey(migration.version), migration]))
  const known = new Map(history.map(one => [versionKey(one.version), one]))
  const numbered = [...new Set([...files.keys(), ...known.keys()])]
    .sort(compareVersions)
    .flatMap(key => describeVersion(files.get(key) ?? null, known.get(key) ?? null, current) ?? [])
  const named = new Map(repeatables.map(one => [one.version, one]))
  const repeated = (folder.repeatables ?? []).map(one => describeRepeatable(one, named.get(one.version) ?? null))
  const versions = [...numbered, ...repeated]
  const counts = { applied: 0, pending: 0, failed: 0, interrupted: 0, changed: 0, gone: 0 }
  for (const { state } of versions) counts[state]++
  return { format: 1, track, current, versions, counts, warnings: folder.warnings }
}

/** Undefined for what the history rolled back and the folder has forgotten. */
function describeVersion(
  migration: Migration | null,
  history: VersionHistory | null,
  current: string | null,
): VersionStatus | undefined {
  const attempt = history?.unfinished ?? history?.applied ?? null
  const state = stateOf(migration, history)
  const version = migration?.version ?? history?.version
  if (version === undefined || (!migration && state === 'pending')) return undefined
  return {
    version,
    slug: migration?.slug ?? history?.slug ?? '',
    state,
    file: migration?.up.file ?? null,
    outOfOrder: history?.state !== 'applied' && current !== null && compareVersions(version, current) < 0,
    reversible: Boolean(migration?.down) || history?.applied?.downStored === true,
    ...lastOf(attempt),
  }
}

function describeRepeatable(migration: Migration, history: VersionHistory | null): VersionStatus {
  const { version, slug, up, repeats = 'when changed' } = migration
  return {
    version,
    slug,
    state: stateOfRepeatable(migration, history),
    file: up.file,
    outOfOrder: false,
    reversible: true,
    repeats,
    ...lastOf(history?.unfinished ?? history?.applied ?? null),
  }
}

/** What failed is tried again by the next run, unless its file says by now what stands already. */
function stateOfRepeatable(migration: Migration, history: VersionHistory | null): VersionState {
  const unfinished = history?.unfinished
  if (!isDue(migration, history)) return 'applied'
  if (unfinished?.direction !== 'up') return 'pending'
  if (isHalfDone(unfinished)) return 'interrupted'
  return unfinished.errorCode === 'INTERRUPTED' ? 'pending' : 'failed'
}

function lastOf(attempt: Attempt | null) {
  return {
    at: attempt?.finishedAt ?? attempt?.startedAt ?? null,
    actor: attempt?.actor ?? null,
    runId: attempt?.runId ?? null,
    durationMs: attempt?.durationMs ?? null,
    errorCode: attempt?.errorCode ?? null,
    cursor: attempt?.cursor ?? 0,
  }
}

function stateOf(migration: Migration | null, history: VersionHistory | null): VersionState {
  const unfinished = history?.unfinished
  if (unfinished && isHalfDone(unfinished)) return 'interrupted'
  // An interrupted transaction left nothing, so the version is what it was before.
  if (unfinished?.status === 'failed' && unfinished.direction === 'up' && unfinished.errorCode !== 'INTERRUPTED')
    return 'failed'
  if (history?.state !== 'applied') return 'pending'
  if (!migration) return 'gone'
  return history.applied?.upChecksum != null && hasChanged(migration.up, history.applied.upChecksum)
    ? 'changed'
    : 'applied'
}

/** A way back that failed behind its cursor is neither here nor there, whatever it failed for. */
function isHalfDone({ status, direction, errorCode, cursor }: Attempt): boolean {
  return status !== 'failed' || (cursor > 0 && (errorCode === 'INTERRUPTED' || direction === 'down'))
}

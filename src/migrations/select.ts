/** Which steps a command means: a pure choice between what the folder has and what the history knows. */
import { type Code, codes, nearest, PlinthError } from '../errors.ts'
import type { Direction } from '../telemetry/event.ts'
import { hasBatches } from './backfill/cursor.ts'
import { hasChanged } from './checksum.ts'
import { versionsOfRun } from './history.ts'
import { checksumChanged, downMissing, fileGone, interruptedRollback, shifted } from './refusals.ts'
import {
  type Attempt,
  compareVersions,
  isSameVersion,
  isVersion,
  label,
  type Migration,
  type VersionHistory,
  versionKey,
} from './migration.ts'

export type Target =
  | { readonly kind: 'latest' }
  /** Upwards: up to and with it. Downwards: until it is the newest that stays; `0` takes all back. */
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'steps'; readonly count: number }
  /** Downwards only: what that run applied. */
  | { readonly kind: 'run'; readonly runId: string }
  /** Downwards only: a repeatable to the text that it had before; see repeat-back.ts. */
  | { readonly kind: 'repeatable'; readonly name: string }

export interface SelectInput {
  readonly track: string
  readonly migrations: readonly Migration[]
  readonly history: readonly VersionHistory[]
  readonly direction: Direction
  /** A rollback without a target is refused. */
  readonly target?: Target | undefined
  readonly allowOutOfOrder?: boolean | undefined
  readonly retryFailed?: boolean | undefined
}

/** One step that was chosen, before its SQL is read. */
export interface Choice {
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  /** Null when the file is gone. */
  readonly migration: Migration | null
  readonly history: VersionHistory | null
  /** The SQL comes from the file, or from what the history kept. */
  readonly source: 'file' | 'stored'
  /** The statement-wise attempt that this step goes on from. */
  readonly resumes: Attempt | null
}

export interface Selection {
  readonly track: string
  readonly direction: Direction
  /** The newest applied version before; null when nothing is applied. */
  readonly from: string | null
  readonly to: string | null
  readonly choices: readonly Choice[]
  /** Downwards: what was applied after one of the choices, and stays. */
  readonly later: readonly VersionHistory[]
  /** What people should know, one sentence each. */
  readonly notices: readonly string[]
}

/**
 * Throws CHECKSUM_CHANGED, FILE_GONE, OUT_OF_ORDER, DOWN_MISSING, STEP_FAILED_BEFORE, STEP_INTERRUPTED, VERSION_UNKNOWN, TARGET_REQUIRED.
 */
export function selectSteps(input: SelectInput): Selection {
  const known = new Map(input.history.map(one => [versionKey(one.version), one]))
  refuseShifted(input.migrations, input.history)
  return input.direction === 'up' ? selectUps(input, known) : selectDowns(input)
}

type Known = ReadonlyMap<string, VersionHistory>

function selectUps(input: SelectInput, known: Known): Selection {
  const applied = input.history.filter(one => one.state === 'applied')
  const current = applied.at(-1)?.version ?? null
  const notices = refuseRewrittenPast(input, applied)
  const pending = input.migrations.filter(migration => known.get(versionKey(migration.version))?.state !== 'applied')
  const choices = upTo(input, pending).map(migration => {
    const history = known.get(versionKey(migration.version)) ?? null
    const resumes = resumable(history, 'up')
    if (current !== null && !resumes && !input.allowOutOfOrder) refuseOutOfOrder(migration, current, pending)
    refuseMissingDown(migration)
    if (!input.retryFailed) refuseRepeatedFailure(migration, history)
    return {
      version: migration.version,
      slug: migration.slug,
      direction: 'up' as const,
      migration,
      history,
      source: 'file' as const,
      resumes,
    }
  })
  const final = choices.filter(({ migration }) => !migration.down)
  if (final.length > 0) notices.push(`Cannot be rolled back, for want of a down: ${final.map(label).join(', ')}.`)
  return {
    track: input.track,
    direction: 'up',
    from: current,
    to: newest(current, choices.at(-1)?.version ?? null),
    choices,
    later: [],
    notices,
  }
}

function upTo(input: SelectInput, pending: readonly Migration[]): readonly Migration[] {
  const target = input.target ?? { kind: 'latest' }
  if (target.kind === 'latest') return pending
  if (target.kind === 'steps') return pending.slice(0, target.count)
  if (target.kind !== 'version')
    throw new PlinthError('USAGE', `A ${target.kind} can be rolled back, not applied.`, { hint: 'Use --to VERSION.' })
  assertKnown(input, target.version)
  return pending.filter(migration => compareVersions(migration.version, target.version) <= 0)
}

/**
 * Where names alone tell files apart, one that comes before another takes the number of that one. Throws OUT_OF_ORDER, since everything that follows
 * would be taken for something else.
 */
export function refuseShifted(migrations: readonly Migration[], history: readonly VersionHistory[]): void {
  const files = new Map(migrations.map(migration => [versionKey(migration.version), migration]))
  const applied = history.filter(one => one.state === 'applied')
  for (const one of applied) {
    const file = files.get(versionKey(one.version))
    const checksum = one.applied?.upChecksum
    if (!file || !checksum || file.slug === one.slug) continue
    const now = migrations.find(
      ({ version, slug, up }) =>
        slug === one.slug &&
        !applied.some(other => isSameVersion(other.version, version) && other.slug === slug) &&
        !hasChanged(up, checksum),
    )
    if (now) throw shifted(one, file, now)
  }
}

/** What is applied must still be what the folder says. Being behind the database is no error, since an older release may run beside a newer one. */
function refuseRewrittenPast(input: SelectInput, applied: readonly VersionHistory[]): string[] {
  const files = new Map(input.migrations.map(migration => [versionKey(migration.version), migration]))
  const newestFile = input.migrations.at(-1)?.version ?? null
  const ahead: string[] = []
  for (const one of input.history) {
    const migration = files.get(versionKey(one.version))
    const halfBack = halfDone(one, 'down')
    if (halfBack) throw interruptedRollback(one, halfBack)
    if (one.state !== 'applied' && !halfDone(one, 'up')) continue
    if (!migration && one.state === 'applied' && (newestFile === null || compareVersions(one.version, newestFile) > 0))
      ahead.push(one.version)
    else if (!migration) throw fileGone(one)
  }
  const changed = applied.filter(one => {
    const file = files.get(versionKey(one.version))?.up
    return file !== undefined && one.applied?.upChecksum != null && hasChanged(file, one.applied.upChecksum)
  })
  const first = changed[0]
  if (first) throw checksumChanged(first, files.get(versionKey(first.version))?.up.file, changed)
  return ahead.length === 0 ? [] : [`The database is ahead of the folder by ${ahead.length}: ${ahead.join(', ')}.`]
}

function selectDowns(input: SelectInput): Selection {
  const standing = input.history.filter(one => one.state === 'applied' || halfDone(one, 'up') !== null)
  const current = standing.findLast(one => one.state === 'applied')?.version ?? null
  const files = new Map(input.migrations.map(migration => [versionKey(migration.version), migration]))
  const notices: string[] = []
  // What was applied last goes first, whatever its version: it may stand on what was applied before it.
  const taken = downTo(input, standing).toSorted((a, b) => appliedAs(b) - appliedAs(a))
  const choices = taken.map(one => chooseDown(one, files.get(versionKey(one.version)) ?? null, notices))
  const gone = new Set(choices.map(choice => versionKey(choice.version)))
  const to = standing.findLast(one => one.state === 'applied' && !gone.has(versionKey(one.version)))?.version ?? null
  if (input.target?.kind === 'steps' && choices.length < input.target.count) {
    notices.push(`Only ${choices.length} of the ${input.target.count} steps that were asked for can be taken back.`)
  }
  return {
    track: input.track,
    direction: 'down',
    from: current,
    to,
    choices,
    later: laterThan(taken, standing),
    notices,
  }
}

function downTo(input: SelectInput, standing: readonly VersionHistory[]): readonly VersionHistory[] {
  const newestFirst = standing.toReversed()
  const target = input.target
  if (!target || target.kind === 'latest' || target.kind === 'repeatable') {
    throw new PlinthError('TARGET_REQUIRED', 'A rollback needs to be told how far.', {
      hint: 'Use --to VERSION, --to 0, --steps N or --run ID.',
      details: { applied: newestFirst.map(one => one.version) },
    })
  }
  if (target.kind === 'steps') return newestFirst.slice(0, target.count)
  if (target.kind === 'run') return ofRun(target.runId, newestFirst)
  if (versionKey(asVersion(target.version)) !== '0') assertKnown(input, target.version)
  return newestFirst.filter(one => compareVersions(one.version, target.version) > 0)
}

/** `last` is the run that applied last of those that still stand. */
function ofRun(runId: string, newestFirst: readonly VersionHistory[]): readonly VersionHistory[] {
  const applied = newestFirst.filter(one => one.applied !== null)
  const last = applied.toSorted((a, b) => appliedAs(b) - appliedAs(a))[0]?.applied?.runId
  const versions = new Set(versionsOfRun(newestFirst, runId === 'last' ? (last ?? runId) : runId))
  if (versions.size > 0) return newestFirst.filter(one => versions.has(one.version))
  if (runId === 'last') return []
  throw new PlinthError('VERSION_UNKNOWN', `No applied migration belongs to the run ${runId}.`, {
    hint: 'plinth status --json names the run of each version.',
  })
}

/** What stays although it was applied after something that is taken back, so that it may stand on it. */
function laterThan(taken: readonly VersionHistory[], standing: readonly VersionHistory[]): VersionHistory[] {
  const first = Math.min(...taken.map(appliedAs))
  return standing.filter(one => !taken.includes(one) && appliedAs(one) > first)
}

/** The place of its attempt in the order in which things happened. */
function appliedAs(one: VersionHistory): number {
  return (one.applied ?? one.unfinished)?.number ?? 0
}

/** The file's down wins while its up is what ran; after an edit only the down that was kept fits what is in the database. */
function chooseDown(one: VersionHistory, migration: Migration | null, notices: string[]): Choice {
  const attempt = one.applied ?? one.unfinished
  const edited = migration !== null && attempt?.upChecksum != null && hasChanged(migration.up, attempt.upChecksum)
  const source = migration?.down && !(edited && attempt?.downStored) ? 'file' : 'stored'
  if (source === 'stored' && !attempt?.downStored) throw migration ? downMissing(migration) : fileGone(one)
  if (source === 'stored')
    notices.push(
      `${label(one)} is rolled back by the SQL that was kept when it was applied, since its file ${migration ? 'was edited' : 'is gone'}.`,
    )
  return {
    version: one.version,
    slug: migration?.slug ?? one.slug,
    direction: 'down',
    migration,
    history: one,
    source,
    resumes: resumable(one, 'down'),
  }
}

/** The attempt that stopped half-way with effects that last; null when there is none in that direction. */
function halfDone(history: VersionHistory | null, direction: Direction): Attempt | null {
  const attempt = history?.unfinished
  if (!attempt || attempt.direction !== direction) return null
  return attempt.cursor > 0 || attempt.status !== 'failed' || hasBatches(attempt.note) ? attempt : null
}

/** The attempt to go on from: also one that failed at its first statement, which may have left an index half-built. */
export function resumable(history: VersionHistory | null, direction: Direction): Attempt | null {
  const attempt = history?.unfinished
  if (!attempt || attempt.direction !== direction) return null
  return attempt.note === null ? halfDone(history, direction) : attempt
}

function refuseOutOfOrder(migration: Migration, current: string, pending: readonly Migration[]): void {
  if (compareVersions(migration.version, current) > 0) return
  const late = pending.filter(one => compareVersions(one.version, current) < 0)
  throw new PlinthError(
    'OUT_OF_ORDER',
    `${label(migration)} is pending, but the newer ${current} is already applied.`,
    {
      at: { file: migration.up.file },
      hint: 'Give it a version above the newest one, or pass --allow-out-of-order once it is known not to depend on order.',
      details: { current, pending: late.map(one => one.version) },
    },
  )
}

function refuseMissingDown(migration: Migration): void {
  if (!migration.down && !migration.upOnly) throw downMissing(migration)
}

/** A failure that another try may mend (a lock, a lost connection) is not held against the migration. */
function refuseRepeatedFailure(migration: Migration, history: VersionHistory | null): void {
  const attempt = history?.unfinished
  if (attempt?.direction !== 'up' || attempt.status !== 'failed' || isPassing(attempt.errorCode)) return
  if (attempt.upChecksum === null || hasChanged(migration.up, attempt.upChecksum)) return
  throw new PlinthError(
    'STEP_FAILED_BEFORE',
    `${label(migration)} failed at ${attempt.startedAt} and has not changed since.`,
    {
      at: {
        file: migration.up.file,
        ...(attempt.errorLine === null ? {} : { line: attempt.errorLine, source: migration.up.text }),
      },
      hint: 'Edit the file, or run again with --retry-failed when the cause lay elsewhere.',
      ...(attempt.sqlState === null ? {} : { sqlState: attempt.sqlState }),
      details: {
        failedAt: attempt.startedAt,
        actor: attempt.actor,
        errorCode: attempt.errorCode,
        cursor: attempt.cursor,
      },
    },
  )
}

/** What the file cannot mend: room, rights, and what a guard refused, which never ran. */
const elsewhere: ReadonlySet<string> = new Set<Code>([
  'DISK_FULL',
  'PERMISSION_DENIED',
  'DATABASE_READ_ONLY',
  'CHECK_FAILED',
])

function isPassing(code: string | null): boolean {
  if (code === null) return false
  const exit = code in codes ? codes[code as Code].exit : 1
  return exit === 5 || exit === 6 || exit === 7 || exit === 130 || elsewhere.has(code)
}

function assertKnown(input: SelectInput, version: string): void {
  const known = [...input.migrations, ...input.history].map(one => one.version)
  if (known.some(one => versionKey(one) === versionKey(asVersion(version)))) return
  const guess = nearest(version, known)
  throw new PlinthError(
    'VERSION_UNKNOWN',
    `Neither the folder nor the history of ${input.track} has a version ${version}.`,
    {
      hint: guess ? `Did you mean ${guess}?` : 'plinth status lists the versions.',
    },
  )
}

function asVersion(text: string): string {
  if (isVersion(text)) return text
  throw new PlinthError('VERSION_UNKNOWN', `"${text}" is not a version.`, {
    hint: 'A version is the number that a file name begins with.',
  })
}

function newest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return compareVersions(a, b) >= 0 ? a : b
}

/**
 * What a step that was rehearsed will cost on the target: whom its locks shut out, and for about how long. The rehearsal knows what is read and
 * written anew, the target how many rows that is; the rates below are what a modest server does with rows of usual width, so a forecast is right to
 * within a few times. It does not know how long others hold what a statement waits for.
 */
import type {
  LockMode,
  Rehearsal,
  RehearsalFailure,
  RehearsedStatement,
  RehearsedStep,
} from '../../schema/rehearsal.ts'

export interface Forecast {
  readonly format: 1
  readonly serverVersion: number
  readonly gaps: readonly string[]
  readonly steps: readonly StepForecast[]
}

export interface StepForecast {
  readonly version: string
  readonly direction: 'up' | 'down'
  readonly statements: readonly StatementForecast[]
  readonly failure: RehearsalFailure | null
  /** For how long nobody can read, and for how long nobody can write, some table that is in use. A lock lasts to the end of its transaction. */
  readonly readersWaitMs: number
  readonly writersWaitMs: number
}

export interface StatementForecast {
  readonly index: number
  readonly line: number
  readonly summary: string
  /** The strongest lock on what was there before. */
  readonly lock: { readonly relation: string; readonly mode: LockMode; readonly shutsOut: ShutOut } | null
  readonly rewrites: readonly string[]
  readonly scans: readonly string[]
  /** Of the largest relation that it works through; null where the target has none of it, or it works through none. */
  readonly rows: number | null
  /** About. */
  readonly durationMs: number
  readonly class: StatementClass
}

export type ShutOut = 'readers and writers' | 'writers' | 'schema changes' | 'nobody'

/**
 * `harmless`: nobody who reads or writes has to wait. `brief`: they wait, for a moment. `long`: they wait for as long as rows are worked through.
 * `slow`: rows are worked through while nobody waits.
 */
export type StatementClass = 'harmless' | 'brief' | 'slow' | 'long'

/** What a step says of its statements, beside what was seen of them. */
export interface Described {
  readonly version: string
  readonly statements: readonly { readonly index: number; readonly line: number; readonly summary: string }[]
  /** Whether its locks last to the end of the step. */
  readonly mode: 'transactional' | 'statement-wise'
}

/** Pure. `rows` has those of the target, by `schema.table`. */
export function forecastOf(
  rehearsal: Rehearsal,
  described: readonly Described[],
  rows: Readonly<Record<string, number>>,
): Forecast {
  const of = new Map(described.map(step => [step.version, step]))
  const { serverVersion, gaps } = rehearsal
  return {
    format: 1,
    serverVersion,
    gaps,
    steps: rehearsal.steps.map(step => forecastStep(step, of.get(step.version), rows)),
  }
}

function forecastStep(
  { version, direction, statements, failure }: RehearsedStep,
  described: Described | undefined,
  rows: Readonly<Record<string, number>>,
): StepForecast {
  const names = new Map(described?.statements.map(one => [one.index, one]))
  const together = described?.mode !== 'statement-wise'
  let held = false
  const forecasts = statements.map(seen => {
    const { line = 0, summary = '' } = names.get(seen.index) ?? {}
    const forecast = forecastStatement(seen, { line, summary }, rows, held ? 'held' : 'free')
    held ||= together && isWaitedFor(forecast.lock)
    return forecast
  })
  return {
    version,
    direction,
    statements: forecasts,
    failure,
    readersWaitMs: waitOf(forecasts, together, new Set(['readers and writers'])),
    writersWaitMs: waitOf(forecasts, together, new Set(['readers and writers', 'writers'])),
  }
}

function forecastStatement(
  seen: RehearsedStatement,
  told: { readonly line: number; readonly summary: string },
  rows: Readonly<Record<string, number>>,
  earlier: 'held' | 'free',
): StatementForecast {
  const strongest = strongestOf(seen)
  const worked = [...seen.scans, ...seen.rewrites].map(name => rows[name] ?? 0)
  const durationMs = Math.round(momentMs + workMs(seen, rows))
  const takesLong = durationMs > longMs
  const waits = isWaitedFor(strongest)
  return {
    index: seen.index,
    ...told,
    lock: strongest,
    rewrites: seen.rewrites,
    scans: seen.scans,
    rows: worked.length === 0 ? null : Math.max(...worked),
    durationMs,
    class: takesLong ? (waits || earlier === 'held' ? 'long' : 'slow') : waits ? 'brief' : 'harmless',
  }
}

function isWaitedFor(lock: StatementForecast['lock']): boolean {
  return lock?.shutsOut === 'readers and writers' || lock?.shutsOut === 'writers'
}

/** Rows per millisecond. */
const readRate = 2000
const rewriteRate = 300
const indexRate = 600
const changeRate = 60
/** A change of the catalog alone. */
const momentMs = 5
const longMs = 1000

function workMs(
  { scans, rewrites, rows: changed, changes }: RehearsedStatement,
  rows: Readonly<Record<string, number>>,
) {
  const of = (table: string): number => rows[table] ?? 0
  const rewritten = new Set(rewrites)
  const built = changes.filter(({ kind, action, of: table }) => kind === 'index' && action !== 'drop' && table !== null)
  const reading = scans.filter(table => !rewritten.has(table)).reduce((sum, table) => sum + of(table) / readRate, 0)
  const writing = rewrites.reduce((sum, name) => sum + of(name) / rewriteRate, 0)
  const indexing = built.reduce((sum, { of: table }) => sum + of(table ?? '') / indexRate, 0)
  // What is read from end to end to be changed is changed from end to end, as far as anybody can tell on tables without rows.
  const changing = changed.length > 0 ? scans.reduce((sum, table) => sum + of(table) / changeRate, 0) : 0
  return reading + writing + indexing + changing
}

function strongestOf({ locks }: RehearsedStatement): StatementForecast['lock'] {
  const ranked = locks
    .map(({ relation, kind, mode }) => ({
      relation,
      mode,
      shutsOut: kind === 'index' && mode === 'AccessShareLock' ? ('nobody' as const) : shutsOut[mode],
    }))
    .sort((a, b) => order.indexOf(a.shutsOut) - order.indexOf(b.shutsOut))
  return ranked[0] ?? null
}

const shutsOut: Readonly<Record<LockMode, ShutOut>> = {
  AccessShareLock: 'nobody',
  RowShareLock: 'nobody',
  RowExclusiveLock: 'nobody',
  ShareUpdateExclusiveLock: 'schema changes',
  ShareLock: 'writers',
  ShareRowExclusiveLock: 'writers',
  ExclusiveLock: 'writers',
  AccessExclusiveLock: 'readers and writers',
}

const order: readonly ShutOut[] = ['readers and writers', 'writers', 'schema changes', 'nobody']

/** From the first lock that counts to the end of the transaction. */
function waitOf(statements: readonly StatementForecast[], together: boolean, counts: ReadonlySet<ShutOut>): number {
  let waits = 0
  let held = false
  for (const { lock, durationMs } of statements) {
    const takes = lock !== null && counts.has(lock.shutsOut)
    held = together ? held || takes : takes
    if (held) waits += durationMs
  }
  return waits
}

/** Runs a plan. Half-done work is a value of the report, not an exception. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Held, unfenced, withFence, withTransaction } from '../engines/brackets.ts'
import type { LockWaits, Session } from '../engines/engine.ts'
import { asPlinthError, type Code, PlinthError } from '../errors.ts'
import {
  type Clock,
  type Direction,
  type Emit,
  type RunStatus,
  type StepWaits,
  silent,
  systemClock,
} from '../telemetry/event.ts'
import type { CheckReport } from './checks.ts'
import { fileOf, type StepContext, type Waiting, type Work } from './context.ts'
import { type Downtime, downtimeOf, locksOthers } from './downtime.ts'
import { finishRun, insertAttempt, insertRun, type RunOrigin } from './history.ts'
import { compareVersions } from './migration.ts'
import type { Hooks } from './hooks/hooks.ts'
import { hooksOfRun } from './hooks/of-run.ts'
import { nameBlockers, watchStep } from './lock-watch.ts'
import { cancellable, refuseInterrupted, waitingOf } from './patience.ts'
import type { Plan, Planned, Step } from './plan.ts'
import { runStatements } from './run-statements.ts'
import { runTransactional, type Transacted } from './run-transactional.ts'
import { completeRestores, finishApart } from './run-restore.ts'
import type { Preserved } from './preserve/care.ts'
import type { LossClass } from './preserve/class.ts'
import { bringLatecomers } from './preserve/latecomers.ts'
import { type PreserveRequest, preserveOptions } from './preserve/options.ts'
import { classAfter } from './preserve/step.ts'
import type { RestoreReport } from './preserve/store.ts'
import type { Foresight } from './rehearse/foresight.ts'
import { resetAfter, resetStatements } from './session-state.ts'

export interface RunOptions {
  /** Who answers for it, such as `user@host` or a CI job. */
  readonly actor: string
  /** Such as `apply`; kept with the run. */
  readonly command: string
  readonly emit?: Emit | undefined
  readonly signal?: AbortSignal | undefined
  /** Default 3000; 0 waits for ever. */
  readonly lockTimeoutMs?: number | undefined
  /** Default 0, which sets no limit. */
  readonly statementTimeoutMs?: number | undefined
  /** How often a step that did not get its lock is tried again; default 8. */
  readonly lockRetries?: number | undefined
  readonly runId?: string | undefined
  readonly host?: string | undefined
  readonly toolVersion?: string | undefined
  readonly traceId?: string | undefined
  readonly clock?: Clock | undefined
  readonly newId?: (() => string) | undefined
  /** The track's lock, which every write asks for; by default one that the session itself holds. */
  readonly held?: Held | undefined
  /** Called around the run and its steps. */
  readonly hooks?: Hooks | undefined
  /** How data is preserved; `off` for a track that is rebuilt from its source. */
  readonly preserve?: PreserveRequest | 'off' | undefined
  /** What a rehearsal foresaw, so that a difference is told. */
  readonly foresight?: Foresight | null | undefined
  /** Name of the environment, told to hooks. */
  readonly environment?: string | undefined
}

export interface Report {
  readonly format: 1
  readonly track: string
  readonly direction: Direction
  readonly runId: string
  readonly status: RunStatus
  /** Newest applied version before and now; null when nothing is applied. */
  readonly from: string | null
  readonly current: string | null
  readonly done: readonly StepReport[]
  readonly failed: FailedStep | null
  /** Steps that were planned and not begun. */
  readonly remaining: readonly { readonly version: string; readonly slug: string }[]
  readonly notices: readonly string[]
  readonly durationMs: number
  /** How long readers and writers may have waited for the steps that were done. */
  readonly downtime: Downtime
  /** What the failure was; null unless failed or interrupted. */
  readonly error: PlinthError | null
}

export interface StepReport {
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  readonly mode: string
  readonly statements: number
  readonly rows: number
  readonly tables: readonly string[]
  /** Those that ran; a check that found rows is the error of the report. */
  readonly checks: readonly CheckReport[]
  readonly lossClass: LossClass | null
  /** What was kept and what came back; null when there was nothing of either. */
  readonly preserved: Preserved | null
  readonly durationMs: number
  /** An upper bound for how long others waited for its locks; 0 when it takes none that others wait for. */
  readonly lockedMsMax: number
  /** What an observer saw, as exact as its interval; null when the step was over before it looked. */
  readonly lockWaitMs: number | null
  readonly blockedSessionsMax: number | null
  readonly blockedMsMax: number | null
}

export interface FailedStep {
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  readonly code: string
  readonly sqlState: string | null
  readonly file: string | null
  readonly line: number | null
}

/** The caller holds the track's lock and has made the ledger. Throws only where nothing was begun. */
export async function runPlan(session: Session, { plan, scripts }: Planned, options: RunOptions): Promise<Report> {
  const started = performance.now()
  const clock = options.clock ?? systemClock
  const origin = originOf(plan, options)
  const iso = () => new Date(clock.now()).toISOString()
  const { command, environment = null, signal } = options
  const hooks = hooksOfRun(options.hooks, { plan, origin, command, environment, address: session.address, signal })
  const { held = unfenced } = options
  await hooks.beforeRun()
  const begun = { command, direction: plan.direction, stepsPlanned: plan.steps.length, startedAt: iso() }
  await cancellable({ session, signal }, () => withFence(session, held, () => insertRun(session, origin, begun)))
  const reset = await resetStatements(session)
  const preserve = await preserveOptions(session, origin.track, options.preserve)
  const { track, runId } = origin
  const bringLate = async () =>
    preserve ? bringLatecomers({ session, held, tenantColumn: preserve.tenantColumn, track, runId, now: iso }) : []
  // Not into the middle of a step: what its statements see is what they would have seen at once.
  const isBetween = plan.steps.every(({ resumes }) => resumes === null)
  const late: RestoreReport[] = preserve?.late === 'some' && isBetween ? [...(await bringLate())] : []
  const done: StepReport[] = []
  let error: PlinthError | null = null
  for (const step of plan.steps) {
    const script = scripts.get(step.version)
    try {
      refuseInterrupted(options.signal)
      if (!script) throw new Error(`The plan has no SQL for ${step.version}.`)
      await hooks.beforeStep(step)
      const context = contextOf(options, clock)
      const waiting = waitingOf(step, context.waiting)
      const foreseen = options.foresight?.get(step.version) ?? null
      const after = resetAfter(script.script.text, reset)
      const own = { foreseen, waiting, session, step, origin, reset: after, preserve }
      const report = await runStep({ ...script, ...context, ...own })
      done.push(report)
      if (preserve?.late === 'some' || done.slice(0, -1).some(leftRows)) late.push(...(await bringLate()))
      if (late.length > 0) done[done.length - 1] = withLate(report, late.splice(0))
      await hooks.afterStep(step, { stepsDone: done.length, rows: report.rows, durationMs: report.durationMs })
    } catch (thrown) {
      error = asPlinthError(thrown)
      break
    }
  }
  const status = statusOf(error)
  const ended = { status, stepsDone: done.length, errorCode: error?.code ?? null, finishedAt: iso() }
  // The steps are what they are even when the connection is gone; the next run sees that this one never ended.
  const bracket = error ? briefly : withFence
  await bracket(session, held, () => finishRun(session, origin.runId, ended)).catch((thrown: unknown) => {
    error ??= asPlinthError(thrown)
  })
  const rows = done.reduce((sum, step) => sum + step.rows, 0)
  const result = { stepsDone: done.length, rows, durationMs: performance.now() - started }
  await hooks.afterRun({ result, error, step: plan.steps[done.length] ?? null })
  return reportOf(
    { ...plan, notices: [...plan.notices, ...hooks.failures] },
    {
      runId: origin.runId,
      status: statusOf(error),
      done,
      error,
      durationMs: performance.now() - started,
    },
  )
}

/** A report of a plan that has no steps. */
export function nothingToDo(plan: Plan, options: { readonly runId: string; readonly durationMs: number }): Report {
  return reportOf(plan, { ...options, status: 'nothing-to-do', done: [], error: null })
}

function leftRows({ preserved }: StepReport): boolean {
  return preserved?.restored.some(({ orphaned }) => orphaned > 0) === true
}

function withLate(report: StepReport, late: readonly RestoreReport[]): StepReport {
  const { preserved } = report
  if (preserved) return { ...report, preserved: { ...preserved, restored: [...preserved.restored, ...late] } }
  return { ...report, preserved: { archiveId: null, restored: late, lossClass: 'lossless', losses: [] } }
}

async function runStep(context: StepContext): Promise<StepReport> {
  const { step, script, emit, origin } = context
  const { version, slug, direction, mode, tables } = step
  const started = performance.now()
  const statements = script.statements.length
  const watch = watchStep(context)
  emit({
    type: 'step.started',
    track: origin.track,
    engine: context.session.engine.name,
    version,
    slug,
    direction,
    statements,
    transactional: mode === 'transactional',
  })
  try {
    const { rows, checks, preserved, lockedMs } = await runMode(context)
    const durationMs = performance.now() - started
    const waits = waitsOf(await watch.stop())
    const did = { version, slug, direction, statements, rows, tables, durationMs }
    emit({ type: 'step.finished', track: origin.track, ...did, ...waits })
    const lockedMsMax = locksOthers(script) ? (lockedMs ?? durationMs) : 0
    const lossClass = classAfter(step, preserved)
    return { ...did, mode, checks, lossClass, preserved, lockedMsMax, ...(waits ?? unwatched) }
  } catch (thrown) {
    const seen = await watch.stop()
    const error = placed(context, nameBlockers(asPlinthError(thrown), seen))
    const { code, sqlState = null, at } = error
    emit({
      type: 'step.failed',
      track: origin.track,
      version,
      slug,
      direction,
      code,
      sqlState,
      line: at?.line ?? null,
      durationMs: performance.now() - started,
      ...waitsOf(seen),
    })
    throw error
  }
}

async function runMode(context: StepContext): Promise<Work> {
  const { step, preserve } = context
  // An attempt in the other direction stopped while columns came back: their values are on the table before this one begins.
  if (step.cursor === 0 && preserve?.underWay.has(step.version)) await completeRestores(context)
  if (step.mode !== 'transactional') return runStatements(context)
  const done = await recorded(context)
  return done.underWay ? finishApart(context, done.underWay) : done
}

/** What a step as a whole is refused for has its file as the place, beside the object that stands in the way. */
function placed({ step, script }: StepContext, error: PlinthError): PlinthError {
  const { code, message, at, hint, sqlState, details } = error
  if (at?.file !== undefined || !ofTheStep.has(code)) return error
  const line = at?.line ?? script.statements[0]?.line ?? 1
  const place = { ...at, file: fileOf(step), line, source: script.text }
  return new PlinthError(code, message, { at: place, hint, sqlState, details, cause: error })
}

const ofTheStep: ReadonlySet<Code> = new Set(['ARCHIVE_REFUSED', 'LOSS_NOT_ACCEPTED', 'RESTORE_REFUSED'])

const unwatched = { lockWaitMs: null, blockedSessionsMax: null, blockedMsMax: null }

function waitsOf(seen: LockWaits | null): StepWaits | null {
  if (!seen) return null
  const { blockers: _blockers, ...waits } = seen
  return waits
}

/** A transactional step leaves nothing when it fails, so its failure is written down in a transaction of its own. */
async function recorded(context: StepContext): Promise<Transacted> {
  const { clock } = context
  const startedAtMs = clock.now()
  const started = performance.now()
  try {
    return await runTransactional(context)
  } catch (thrown) {
    const error = asPlinthError(thrown)
    await writeFailure(context, error, { startedAtMs, durationMs: performance.now() - started }).catch(() => undefined)
    throw error
  }
}

/** What only tells of a failure does not keep anybody waiting: the next run sees that this one never ended. */
async function briefly(session: Session, held: Held, work: () => Promise<void>): Promise<void> {
  await withTransaction(session, async () => {
    if (session.engine.can.timeouts) await session.script("set local lock_timeout = '2s'")
    await work()
    await held.fence(session)
  })
}

async function writeFailure(
  context: StepContext,
  error: PlinthError,
  { startedAtMs, durationMs }: { readonly startedAtMs: number; readonly durationMs: number },
): Promise<void> {
  const { session, origin, step, script, clock, held } = context
  await briefly(session, held, () =>
    insertAttempt(
      session,
      origin,
      {
        id: context.newId(),
        version: step.version,
        slug: step.slug,
        direction: step.direction,
        status: 'failed',
        mode: step.mode,
        upChecksum: step.upChecksum,
        downChecksum: step.downChecksum,
        upSql: null,
        downSql: null,
        statementsTotal: script.statements.length,
        cursor: 0,
        prefixHash: null,
        startedAt: new Date(startedAtMs).toISOString(),
      },
      {
        finishedAt: new Date(clock.now()).toISOString(),
        durationMs,
        rows: 0,
        tables: step.tables,
        errorCode: error.code,
        sqlState: error.sqlState,
        errorLine: error.at?.line,
      },
    ),
  )
}

function contextOf(options: RunOptions, clock: Clock) {
  const waiting: Waiting = {
    lockTimeoutMs: options.lockTimeoutMs ?? 3000,
    statementTimeoutMs: options.statementTimeoutMs ?? 0,
    lockRetries: options.lockRetries ?? 8,
  }
  const { emit = silent, newId = randomUUID, signal, held = unfenced } = options
  return { waiting, emit, clock, newId, signal, held }
}

function originOf(plan: Plan, options: RunOptions): RunOrigin {
  return {
    runId: options.runId ?? randomUUID(),
    track: plan.track,
    actor: options.actor,
    host: options.host ?? hostname(),
    toolVersion: options.toolVersion ?? 'unknown',
    traceId: options.traceId ?? null,
  }
}

function statusOf(error: PlinthError | null): 'succeeded' | 'failed' | 'interrupted' {
  if (!error) return 'succeeded'
  return error.code === 'INTERRUPTED' ? 'interrupted' : 'failed'
}

interface Ended {
  readonly runId: string
  readonly status: RunStatus
  readonly done: readonly StepReport[]
  readonly error: PlinthError | null
  readonly durationMs: number
}

function reportOf(plan: Plan, { runId, status, done, error, durationMs }: Ended): Report {
  const left = plan.steps.slice(done.length)
  const broken = error && status !== 'nothing-to-do' ? left[0] : undefined
  return {
    format: 1,
    track: plan.track,
    direction: plan.direction,
    runId,
    status,
    from: plan.from,
    current: currentAfter(plan, done.length),
    done,
    failed: broken && error ? failedStep(broken, error) : null,
    remaining: left.slice(broken ? 1 : 0).map(({ version, slug }) => ({ version, slug })),
    notices: plan.notices,
    durationMs,
    downtime: downtimeOf(done),
    error,
  }
}

function failedStep({ version, slug, direction }: Step, error: PlinthError): FailedStep {
  return {
    version,
    slug,
    direction,
    code: error.code,
    sqlState: error.sqlState ?? null,
    file: error.at?.file ?? null,
    line: error.at?.line ?? null,
  }
}

/** Upwards the newest of what was there and what was done; downwards the newest that was not taken back. */
function currentAfter(plan: Plan, done: number): string | null {
  if (done === plan.steps.length) return plan.to
  if (done === 0) return plan.from
  if (plan.direction === 'down') {
    const standing = [...plan.steps.slice(done).map(step => step.version), ...(plan.to === null ? [] : [plan.to])]
    return standing.sort(compareVersions).at(-1) ?? null
  }
  const last = plan.steps[done - 1]?.version ?? null
  return plan.from === null || (last !== null && compareVersions(last, plan.from) > 0) ? last : plan.from
}

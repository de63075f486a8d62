/** Runs a plan. Half-done work is a value of the report, not an exception. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Held, unfenced, withFence } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { asPlinthError, type PlinthError } from '../errors.ts'
import { type Clock, type Direction, type Emit, type RunStatus, silent, systemClock } from '../telemetry/event.ts'
import type { StepContext, Waiting } from './context.ts'
import { type Downtime, downtimeOf } from './downtime.ts'
import { finishRun, insertRun, type RunOrigin } from './history.ts'
import { compareVersions, isRepeatable } from './migration.ts'
import type { Hooks } from './hooks/hooks.ts'
import { hooksOfRun } from './hooks/of-run.ts'
import { cancellable, refuseInterrupted, waitingOf } from './patience.ts'
import type { Plan, Planned, Step } from './plan.ts'
import { bringLatecomers } from './preserve/latecomers.ts'
import { type PreserveOptions, type PreserveRequest, preserveOptions } from './preserve/options.ts'
import type { RestoreReport } from './preserve/store.ts'
import type { Foresight } from './rehearse/foresight.ts'
import { briefly, runStep, type StepReport } from './run-step.ts'
import { isUntouched, runTogether, sharing } from './run-together.ts'
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
  const common = contextOf(options, clock)
  const contextOfStep = (step: Step): StepContext => {
    const script = scripts.get(step.version)
    if (!script) throw new Error(`The plan has no SQL for ${step.version}.`)
    const waiting = waitingOf(step, common.waiting)
    const foreseen = options.foresight?.get(step.version) ?? null
    const after = resetAfter(script.script.text, reset)
    return { ...script, ...common, foreseen, waiting, session, step, origin, reset: after, preserve }
  }
  const isFirst = mayBeFirst({ plan, options, preserve }) && (await isUntouched(session))
  let apartUntil = 0
  for (let step = plan.steps[0]; step; step = plan.steps[done.length]) {
    try {
      // What was begun among others and stopped there tells of it by itself.
      const isAgain = done.length < apartUntil
      if (!isAgain) refuseInterrupted(signal)
      const shared = isFirst && !isAgain ? sharing(plan.steps.slice(done.length), contextOfStep) : []
      if (shared.length > 1) {
        const together = await runTogether(shared)
        done.push(...together.done)
        apartUntil = done.length + together.apart
        continue
      }
      await hooks.beforeStep(step)
      const report = await runStep(contextOfStep(step))
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

/** The first run of a track, with nothing that wants to be asked between its steps and nothing that would come back with one. */
function mayBeFirst({ plan, options, preserve }: First): boolean {
  const { direction, from, steps } = plan
  const owesNothing = preserve === null || (preserve.owed.size === 0 && preserve.late !== 'some')
  return direction === 'up' && from === null && steps.length > 1 && owesNothing && !options.hooks && !options.foresight
}

interface First {
  readonly plan: Plan
  readonly options: RunOptions
  readonly preserve: PreserveOptions | null
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
    const standing = [
      ...plan.steps.slice(done).map(step => step.version),
      ...(plan.to === null ? [] : [plan.to]),
    ].filter(version => !isRepeatable(version))
    return standing.sort(compareVersions).at(-1) ?? null
  }
  const last = plan.steps.slice(0, done).findLast(({ version }) => !isRepeatable(version))?.version ?? null
  return plan.from === null || (last !== null && compareVersions(last, plan.from) > 0) ? last : plan.from
}

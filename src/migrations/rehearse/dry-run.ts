/**
 * A plan on its own target, in one transaction that is rolled back: the same statements, rows and locks as in earnest, and nothing left of it but what
 * no transaction takes back, such as numbers drawn from sequences. What cannot be part of a transaction is left out by name.
 */
import { unfenced } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { asPlinthError, PlinthError } from '../../errors.ts'
import type { RehearsedStatement } from '../../schema/rehearsal.ts'
import { type Direction, type Emit, silent } from '../../telemetry/event.ts'
import { timeouts } from '../context.ts'
import { composeMessage, placeFailure } from '../message.ts'
import { label } from '../migration.ts'
import { cancellable } from '../patience.ts'
import type { Planned, Step, StepScript } from '../plan.ts'
import { runChecks } from '../run-checks.ts'
import { resetStatements } from '../session-state.ts'
import { openRecorder, type Recorder } from './recorder.ts'

export interface DryRun {
  readonly format: 1
  readonly track: string
  readonly direction: Direction
  readonly from: string | null
  readonly to: string | null
  readonly status: 'passed' | 'failed' | 'nothing-to-do'
  readonly steps: readonly TriedStep[]
  readonly notices: readonly string[]
  readonly durationMs: number
  /** Why it failed; null when it did not. */
  readonly error: PlinthError | null
}

export interface TriedStep {
  readonly version: string
  readonly slug: string
  readonly status: 'passed' | 'skipped' | 'failed' | 'not reached'
  /** Why it was skipped. */
  readonly reason: string | null
  readonly durationMs: number
  /** Locks that an earlier step took already are not told again. */
  readonly statements: readonly RehearsedStatement[]
}

export interface DryRunRequest {
  readonly emit?: Emit | undefined
  readonly signal?: AbortSignal | undefined
  /** Default 3000; 0 waits for ever. */
  readonly lockTimeoutMs?: number | undefined
  /** Default 0, which sets no limit. */
  readonly statementTimeoutMs?: number | undefined
}

/** Never commits. Throws what ends the session; what the database refuses is the error of the report. */
export async function tryPlan(session: Session, { plan, scripts }: Planned, request: DryRunRequest): Promise<DryRun> {
  refuseEngine(session)
  const started = performance.now()
  const { track, direction, from, to, steps, notices } = plan
  const tried: TriedStep[] = []
  const report = (status: DryRun['status'], error: PlinthError | null): DryRun => ({
    format: 1,
    track,
    direction,
    from,
    to,
    status,
    steps: [...tried, ...steps.slice(tried.length).map(notReached)],
    notices: tried.some(step => step.status === 'passed') ? [...notices, remains] : notices,
    durationMs: performance.now() - started,
    error,
  })
  if (steps.length === 0) return report('nothing-to-do', null)
  const reset = await resetStatements(session)
  const recorder = session.pooled || !session.engine.can.postgresSyntax ? null : await openRecorder(session)
  const stage = { session, recorder, reset, request }
  try {
    await session.query('begin')
    for (const step of steps) {
      const script = scripts.get(step.version)
      if (script) tried.push(await tryStep(stage, step, { script, skipped: skippedOf(tried) }))
      const error = errors.get(tried.at(-1) ?? {})
      if (error) return report('failed', error)
    }
    return report('passed', null)
  } finally {
    await session.query('rollback').catch(() => undefined)
    await session.script([...reset, ...(recorder ? ['deallocate all'] : [])].join(';\n')).catch(() => undefined)
  }
}

const remains =
  'Everything was rolled back; only sequences that were drawn from go on behind the numbers that they gave.'

interface Stage {
  readonly session: Session
  readonly recorder: Recorder | null
  readonly reset: readonly string[]
  readonly request: DryRunRequest
}

/** Errors of steps stay out of the plain data. */
const errors = new WeakMap<object, PlinthError>()

async function tryStep(
  stage: Stage,
  step: Step,
  { script, skipped }: { readonly script: StepScript; readonly skipped: readonly TriedStep[] },
): Promise<TriedStep> {
  const { version, slug } = step
  const tried = { version, slug, reason: null, durationMs: 0, statements: [] }
  if (step.mode !== 'transactional')
    return {
      ...tried,
      status: 'skipped',
      reason: `It cannot run in a transaction: ${step.reason ?? 'its statements run one by one'}.`,
    }
  const started = performance.now()
  const statements: RehearsedStatement[] = []
  await stage.session.query('savepoint plinth_step')
  try {
    await cancellable({ session: stage.session, signal: stage.request.signal }, () =>
      runStep(stage, step, script, statements),
    )
    return { ...tried, status: 'passed', durationMs: performance.now() - started, statements }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (error.code === 'CONNECTION_LOST' || error.code === 'INTERRUPTED' || error.code === 'INTERNAL') throw error
    await stage.session.query('rollback to savepoint plinth_step')
    stage.recorder?.forget()
    const durationMs = performance.now() - started
    if (skipped.length > 0 && error.code !== 'LOCK_TIMEOUT' && error.code !== 'CHECK_FAILED')
      return {
        ...tried,
        status: 'skipped',
        durationMs,
        reason: `It failed, and may need what was skipped: ${skipped.map(label).join(', ')}. ${error.message}`,
      }
    const failed: TriedStep = { ...tried, status: 'failed', durationMs, statements }
    errors.set(failed, error)
    return failed
  }
}

async function runStep(
  { session, recorder, reset, request }: Stage,
  step: Step,
  { script, checks }: StepScript,
  statements: RehearsedStatement[],
): Promise<void> {
  const { emit = silent, lockTimeoutMs = 3000, statementTimeoutMs = 0 } = request
  const { directives } = step
  const waiting = {
    lockTimeoutMs: directives.lockTimeoutMs ?? lockTimeoutMs,
    statementTimeoutMs: directives.statementTimeoutMs ?? statementTimeoutMs,
    lockRetries: 0,
  }
  const context = { session, step, checks, emit, waiting, held: unfenced }
  await session.script(timeouts(context, 'set local').join(';\n') || 'select 1')
  await runChecks(context, 'before', 'in the open transaction')
  await recorder?.beginStep()
  await recorder?.begin('in transaction')
  for (const statement of script.statements) {
    const message = composeMessage(script, [statement], { before: [], after: [] })
    const started = performance.now()
    try {
      await session.script(message.text)
    } catch (thrown) {
      throw placeFailure(asPlinthError(thrown), { message, answered: 0, script, file: step.file ?? label(step) })
    }
    const durationMs = performance.now() - started
    if (statement.kind === 'DeallocateStmt' || statement.kind === 'DiscardStmt') await recorder?.renew()
    const seen = (await recorder?.look()) ?? {
      locks: [],
      rewrites: [],
      scans: [],
      truncates: [],
      rows: [],
      changes: [],
    }
    statements.push({ index: statement.index, durationMs, bare: false, ...seen })
  }
  if (session.engine.can.postgresSyntax) await session.script('set constraints all immediate')
  await session.script(reset.filter(one => !one.startsWith('deallocate')).join(';\n'))
  await runChecks(context, 'after', 'in the open transaction')
}

function skippedOf(tried: readonly TriedStep[]): readonly TriedStep[] {
  return tried.filter(step => step.status === 'skipped')
}

function notReached({ version, slug }: Step): TriedStep {
  return { version, slug, status: 'not reached', reason: null, durationMs: 0, statements: [] }
}

function refuseEngine({ engine }: Session): void {
  if (engine.can.transactionalDdl) return
  throw new PlinthError(
    'ENGINE_UNSUPPORTED',
    `On ${engine.name} a change cannot be rolled back, so nothing can be tried.`,
    {
      hint: 'Use --dry-run=plan.',
    },
  )
}

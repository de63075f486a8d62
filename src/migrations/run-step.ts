/** One step, from its first event to its last, in whichever way it runs. */
import { type Held, withTransaction } from '../engines/brackets.ts'
import type { LockWaits, Session } from '../engines/engine.ts'
import { asPlinthError, type Code, PlinthError } from '../errors.ts'
import type { Direction, StepWaits } from '../telemetry/event.ts'
import type { CheckReport } from './checks.ts'
import { attemptOf, fileOf, type StepContext, type Work } from './context.ts'
import { locksOthers } from './downtime.ts'
import { insertAttempt } from './history.ts'
import { nameBlockers, watchStep } from './lock-watch.ts'
import { explainNewer } from './newer.ts'
import type { Preserved } from './preserve/care.ts'
import type { LossClass } from './preserve/class.ts'
import { classAfter } from './preserve/step.ts'
import { completeRestores, finishApart } from './run-restore.ts'
import { runStatements } from './run-statements.ts'
import { runTransactional, type Transacted } from './run-transactional.ts'

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

export async function runStep(context: StepContext): Promise<StepReport> {
  const { step, emit, origin } = context
  const { version, slug, direction } = step
  const started = performance.now()
  const watch = watchStep(context)
  tellStarted(context)
  try {
    const done = await runMode(context)
    const durationMs = performance.now() - started
    return tellFinished(context, { ...done, durationMs, waits: waitsOf(await watch.stop()) })
  } catch (thrown) {
    const seen = await watch.stop()
    const failure = placed(context, nameBlockers(asPlinthError(thrown), seen))
    const error = explainNewer(failure, context.script, context.session.serverVersion)
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

export function tellStarted({ step, script, emit, origin, session }: StepContext): void {
  const { version, slug, direction, mode } = step
  emit({
    type: 'step.started',
    track: origin.track,
    engine: session.engine.name,
    version,
    slug,
    direction,
    statements: script.statements.length,
    transactional: mode === 'transactional',
  })
}

/** A step that is done is told, and reported. `waits`: what an observer saw; null when nobody watched. */
export function tellFinished(
  { step, script, emit, origin }: StepContext,
  done: Work & { readonly durationMs: number; readonly waits: StepWaits | null },
): StepReport {
  const { version, slug, direction, mode, tables } = step
  const { rows, checks, preserved, lockedMs, durationMs, waits } = done
  const did = { version, slug, direction, statements: script.statements.length, rows, tables, durationMs }
  emit({ type: 'step.finished', track: origin.track, ...did, ...waits })
  const lockedMsMax = locksOthers(script) ? (lockedMs ?? durationMs) : 0
  const lossClass = classAfter(step, preserved)
  return { ...did, mode, checks, lossClass, preserved, lockedMsMax, ...(waits ?? unwatched) }
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
export async function briefly(session: Session, held: Held, work: () => Promise<void>): Promise<void> {
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
  const { session, origin, step, clock, held } = context
  await briefly(session, held, () =>
    insertAttempt(
      session,
      origin,
      { ...attemptOf(context, 'failed', startedAtMs), upSql: null, downSql: null },
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

/** Waiting politely: a step that did not get its lock in time gives way, and comes back later. */
import { setTimeout as sleep } from 'node:timers/promises'
import { asPlinthError, PlinthError } from '../errors.ts'
import { fileOf, type StepContext, type Waiting } from './context.ts'
import type { Step } from './plan.ts'

/** The file's own wishes win over those of the run. */
export function waitingOf({ directives }: Step, waiting: Waiting): Waiting {
  return {
    lockTimeoutMs: directives.lockTimeoutMs ?? waiting.lockTimeoutMs,
    statementTimeoutMs: directives.statementTimeoutMs ?? waiting.statementTimeoutMs,
    lockRetries: directives.retries ?? waiting.lockRetries,
  }
}

const lockNotAvailable: ReadonlySet<string> = new Set(['55P03'])

/** Repeats what failed with SQLSTATE 55P03, or one of the given ones, and nothing else. Pauses double from 200 ms to 10 s, with jitter so that runners do not meet again. */
export async function withLockRetries<T>(
  context: StepContext,
  work: () => Promise<T>,
  states: ReadonlySet<string> = lockNotAvailable,
): Promise<T> {
  const { step, waiting, emit, origin, signal } = context
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (thrown) {
      const error = asPlinthError(thrown)
      if (!states.has(error.sqlState ?? '') || attempt > waiting.lockRetries || signal?.aborted) throw error
      const pauseMs = Math.round(Math.min(200 * 2 ** (attempt - 1), 10_000) * (0.75 + Math.random() / 2))
      emit({
        type: 'step.retried',
        track: origin.track,
        version: step.version,
        direction: step.direction,
        attempt,
        sqlState: error.sqlState ?? '',
        pauseMs,
      })
      await sleep(pauseMs, undefined, signal ? { signal } : {}).catch(() => undefined)
      refuseInterrupted(signal)
    }
  }
}

/** Cancels the running statement when the signal comes, and has the cancellation behind it before the session is used again. */
export async function cancellable<T>(
  { session, signal }: Pick<StepContext, 'session' | 'signal'>,
  work: () => Promise<T>,
): Promise<T> {
  refuseInterrupted(signal)
  if (!signal) return work()
  let cancelling: Promise<unknown> | undefined
  const cancel = () => {
    cancelling = session.cancel().catch(() => undefined)
  }
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await work()
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (!signal.aborted || error.code === 'CONNECTION_LOST') throw error
    throw interrupted(signal, error)
  } finally {
    signal.removeEventListener('abort', cancel)
    await cancelling
  }
}

/**
 * The statement timeout for a statement outside any transaction behind a pooler, where a setting would stay with a server process that
 * others use next: the time is taken here.
 */
export async function withTimeLimit<T>(context: StepContext, work: (context: StepContext) => Promise<T>): Promise<T> {
  const { statementTimeoutMs } = context.waiting
  if (statementTimeoutMs === 0) return work(context)
  const limit = new AbortController()
  const over = new PlinthError('STATEMENT_TIMEOUT', 'The statement took longer than its timeout and was cancelled.', {
    at: { file: fileOf(context.step) },
    hint: 'Raise the statement timeout, or split the statement into smaller ones.',
  })
  const timer = setTimeout(() => limit.abort(over), statementTimeoutMs)
  const signal = context.signal ? AbortSignal.any([context.signal, limit.signal]) : limit.signal
  try {
    return await work({ ...context, signal })
  } finally {
    clearTimeout(timer)
  }
}

export function refuseInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interrupted(signal)
}

/** A lock that was lost ends a run by the same way, and says so itself. */
function interrupted(signal: AbortSignal, cause?: PlinthError): PlinthError {
  if (signal.reason instanceof PlinthError) return signal.reason
  return new PlinthError('INTERRUPTED', 'The run was interrupted; what was open was rolled back.', {
    at: cause?.at,
    hint: 'Run the command again to go on.',
    sqlState: cause?.sqlState,
    details: cause?.details,
    cause,
  })
}

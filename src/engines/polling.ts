/** Waiting for what somebody else holds, without blocking inside the server: ask, pause, ask again, and say who is waited for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { PlinthError } from '../errors.ts'
import type { Emit } from '../telemetry/event.ts'

export interface Polling {
  /** Give up after this many milliseconds with LOCK_TIMEOUT. */
  readonly waitMs: number
  readonly emit: Emit
  readonly signal?: AbortSignal | undefined
}

/** Held by somebody, for people to read; null as the holder where he is not known. */
export interface Refused {
  readonly holder: string | null
}

/**
 * Repeats the attempt until it answers something else than a refusal. Pauses start at 25 ms and double up to one second, with jitter so that
 * waiters do not meet again. Throws LOCK_TIMEOUT, and INTERRUPTED when the signal comes.
 */
export async function pollFor<T extends object>(
  name: string,
  { waitMs, emit, signal }: Polling,
  attempt: () => Promise<T | Refused>,
): Promise<{ readonly got: T; readonly waitedMs: number }> {
  const started = performance.now()
  let toldAtMs = -Infinity
  for (let pauseMs = 25; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
    const answer = await attempt()
    const waitedMs = performance.now() - started
    if (!isRefused(answer)) return { got: answer, waitedMs: Math.round(waitedMs) }
    const { holder } = answer
    if (waitedMs >= waitMs) throw heldTooLong(name, holder, waitedMs)
    if (waitedMs - toldAtMs >= 5000) {
      emit({ type: 'lock.waiting', lock: name, holder, waitedMs: Math.round(waitedMs) })
      toldAtMs = waitedMs
    }
    const pause = Math.min(pauseMs * (0.75 + Math.random() / 2), waitMs - waitedMs)
    await sleep(pause, undefined, signal ? { signal } : {}).catch(() => undefined)
    if (signal?.aborted) {
      throw new PlinthError('INTERRUPTED', `The run was interrupted while it waited for the lock "${name}".`, {
        hint: 'Nothing was begun; run the command again.',
      })
    }
  }
}

function isRefused(answer: object): answer is Refused {
  return 'holder' in answer
}

function heldTooLong(name: string, holder: string | null, waitedMs: number): PlinthError {
  return new PlinthError('LOCK_TIMEOUT', `The lock "${name}" is held by ${holder ?? 'another run'}.`, {
    at: { object: name },
    hint: 'Wait for that run to end, or raise migrations.lockWaitSeconds; then run again.',
    details: { lock: name, holder, waitedMs: Math.round(waitedMs) },
  })
}

/** Who stands in a step's way, and in whose way it stands. */
import type { LockWaits, Watch } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { describeBlockers } from '../telemetry/blocker.ts'
import type { StepContext } from './context.ts'

/** Looks from a second connection, which is opened when the step takes a moment; an impatient step is looked at sooner and more often. */
export function watchStep({ session, step, origin, waiting, emit }: StepContext): Watch {
  const { lockTimeoutMs } = waiting
  const onBlocked = (waitedMs: number, blockers: LockWaits['blockers']) => {
    const { version, direction } = step
    emit({ type: 'lock.blocked', track: origin.track, version, direction, waitedMs, blockers })
  }
  const impatience = lockTimeoutMs > 0 ? lockTimeoutMs : Infinity
  const options = {
    onBlocked,
    afterMs: Math.min(200, impatience / 2),
    everyMs: Math.min(150, Math.max(20, impatience / 3)),
  }
  return session.watch?.(options) ?? { stop: async () => null }
}

/** A step that did not get its lock says whose it is, and what can be done about it. */
export function nameBlockers(error: PlinthError, waits: LockWaits | null): PlinthError {
  const [first] = waits?.blockers ?? []
  if (error.sqlState !== '55P03' || !waits || !first) return error
  const { code, message, at, sqlState, details } = error
  return new PlinthError(code, `${message} It waited for ${describeBlockers(waits.blockers)}.`, {
    at,
    hint: `Let that transaction end, or end it with: select pg_terminate_backend(${first.processId}); then run again. To wait longer, raise migrations.lockTimeoutSeconds.`,
    sqlState,
    details: { ...details, blockers: waits.blockers, lockWaitMs: waits.lockWaitMs },
    cause: error,
  })
}

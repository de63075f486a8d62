/**
 * Brackets own resources: nobody opens what he does not close.
 *
 *   await withSession(engine, url, s => withLock(s, 'plinth:operational', options, () => withTransaction(s, () => …)))
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { PlinthError } from '../errors.ts'
import type { Emit } from '../telemetry/event.ts'
import type { Engine, OpenOptions, Session } from './engine.ts'

export async function withSession<T>(
  engine: Engine,
  url: string,
  options: OpenOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await engine.open(url, options)
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

export interface LockOptions {
  /** Give up after this many milliseconds with LOCK_TIMEOUT. */
  readonly waitMs: number
  readonly emit: Emit
  readonly signal?: AbortSignal | undefined
}

/**
 * Holds a session lock by polling: a blocking wait inside the server deadlocks with `create index concurrently`, which waits for every
 * older snapshot, and so does a lock held in an open transaction. Polls start at 25 ms and back off to one second, with jitter.
 */
export async function withLock<T>(
  session: Session,
  name: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  let pauseMs = 25
  let toldAtMs = -Infinity
  while (!(await session.tryLock(name))) {
    const waitedMs = performance.now() - started
    const holder = await session.lockHolder(name)
    if (waitedMs >= options.waitMs) {
      throw new PlinthError('LOCK_TIMEOUT', `The lock "${name}" is held by ${holder ?? 'another run'}.`, {
        hint: 'Wait for that run to end, or raise --lock-wait; then run again.',
        details: { lock: name, holder, waitedMs: Math.round(waitedMs) },
      })
    }
    if (waitedMs - toldAtMs >= 5000) {
      options.emit({ type: 'lock.waiting', lock: name, holder, waitedMs: Math.round(waitedMs) })
      toldAtMs = waitedMs
    }
    await sleep(
      Math.min(pauseMs * (0.75 + Math.random() / 2), options.waitMs - waitedMs),
      undefined,
      options.signal ? { signal: options.signal } : {},
    ).catch(() => undefined)
    if (options.signal?.aborted) {
      throw new PlinthError('INTERRUPTED', `The run was interrupted while it waited for the lock "${name}".`, {
        hint: 'Nothing was begun; run the command again.',
      })
    }
    pauseMs = Math.min(pauseMs * 2, 1000)
  }
  const acquired = performance.now()
  options.emit({ type: 'lock.acquired', lock: name, waitedMs: Math.round(acquired - started) })
  try {
    return await work()
  } finally {
    const held = await session.unlock(name).catch(() => null)
    if (held === false)
      options.emit({
        type: 'warning',
        message: `The lock "${name}" was not held any more when it was released.`,
        hint: 'Look for a connection pooler between Plinth and the server.',
      })
    options.emit({ type: 'lock.released', lock: name, heldMs: Math.round(performance.now() - acquired) })
  }
}

/** Commits what `work` did, or rolls back and rethrows the first error, even when the rollback fails as well. */
export async function withTransaction<T>(
  session: Session,
  work: () => Promise<T>,
  mode: TransactionMode = 'read write',
): Promise<T> {
  await session.query(begins[mode])
  let result: T
  try {
    result = await work()
  } catch (error) {
    await session.query('rollback').catch(() => undefined)
    throw error
  }
  await session.query('commit')
  return result
}

export type TransactionMode = 'read write' | 'snapshot'

const begins: Readonly<Record<TransactionMode, string>> = {
  'read write': 'begin',
  snapshot: 'begin isolation level repeatable read read only',
}

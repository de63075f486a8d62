/**
 * Brackets own resources: nobody opens what he does not close.
 *
 *   await withSession(engine, url, s => withLock(s, 'plinth:operational', options, () => withTransaction(s, () => …)))
 */
import type { Engine, OpenOptions, Session } from './engine.ts'
import { type Held, type LeaseOptions, leaseHolder, withLease } from './lease.ts'
import { pollFor, type Refused } from './polling.ts'

export type { Held } from './lease.ts'

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

export interface LockOptions extends LeaseOptions {
  /**
   * `session`: an advisory lock, which lives as long as the connection. `lease`: a row with a heartbeat and a fencing token. `auto`, the
   * default: a lease where a pooler may give each transaction another server process, else a session lock. Both kinds see each other.
   */
  readonly kind?: LockKind | undefined
}

export type LockKind = 'auto' | 'session' | 'lease'

/**
 * Holds a lock by polling: a blocking wait inside the server deadlocks with `create index concurrently`, which waits for every older
 * snapshot, and so does a lock held in an open transaction.
 */
export async function withLock<T>(
  session: Session,
  name: string,
  options: LockOptions,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  const { kind = 'auto' } = options
  if (kind === 'lease' || (kind === 'auto' && session.pooled)) return withLease(session, name, options, work)
  return withSessionLock(session, name, options, () => work(unfenced))
}

/** The server frees a session lock in the same moment in which it ends the session's transaction, so there is nothing to fence off. */
export const unfenced: Held = { fence: async () => undefined, lost: null, leaseMs: null, token: null }

async function withSessionLock<T>(
  session: Session,
  name: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { waitedMs } = await pollFor(name, options, async () =>
    (await session.tryLock(name)) ? taken : { holder: await session.lockHolder(name) },
  )
  const acquired = performance.now()
  try {
    const behindPooler = session.engine.can.leases ? await pollFor(name, options, () => noLease(session, name)) : null
    options.emit({ type: 'lock.acquired', lock: name, waitedMs: waitedMs + (behindPooler?.waitedMs ?? 0) })
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

const taken = {}

/** A runner behind a pooler has a lease of the same name while it works. */
async function noLease(session: Session, name: string): Promise<typeof taken | Refused> {
  const holder = await leaseHolder(session, name)
  return holder === null ? taken : { holder }
}

/** A transaction on behalf of a lock: whoever lost it meanwhile changes nothing. A session lock needs no transaction for that. */
export async function withFence<T>(session: Session, held: Held, work: () => Promise<T>): Promise<T> {
  if (held.lost === null) return work()
  return withTransaction(session, async () => {
    const result = await work()
    await held.fence(session)
    return result
  })
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

/** What `work` saw of a transaction that leaves nothing behind. */
export async function withRollback<T>(session: Session, work: () => Promise<T>): Promise<T> {
  await session.query('begin')
  try {
    return await work()
  } finally {
    await session.query('rollback').catch(() => undefined)
  }
}

export type TransactionMode = 'read write' | 'snapshot'

const begins: Readonly<Record<TransactionMode, string>> = {
  'read write': 'begin',
  snapshot: 'begin isolation level repeatable read read only',
}

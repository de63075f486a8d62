/**
 * Who may roll a source up: one runner at a time, by a lease whose token also protects the target: a runner that sleeps past its lease loses it
 * to the next, and the target refuses it by its token when it wakes. The lease of a runner that died is free at once, since its server process
 * is gone; behind a transaction pooler, where that cannot be seen, it is free when it expires.
 */
import { withLock, withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { ownSchema } from '../../engines/postgres/own-schema.ts'
import type { Emit } from '../../telemetry/event.ts'

export { leaseLost } from '../../engines/lease.ts'

export interface Lease {
  readonly name: string
  /** Grows by one with every holder. */
  readonly token: bigint
  /** Throws LEASE_LOST when another runner is known to have taken over. The target's own check is what protects it. */
  assertHeld(): void
  /** Asks the source itself, within a transaction that is open there; throws LEASE_LOST when another runner has taken over. */
  fence(session: Session): Promise<void>
}

export interface LeaseOptions {
  /** Shown to who waits. */
  readonly owner: string
  readonly runId?: string | undefined
  /** Give up after this many milliseconds with LOCK_TIMEOUT. */
  readonly waitMs: number
  /** How long the lease outlives its last heartbeat. */
  readonly ttlMs: number
  readonly emit: Emit
  readonly signal?: AbortSignal | undefined
}

/** The table of ours in the source database. Safe to call by several at once. */
export async function ensureSourceLedger(session: Session): Promise<void> {
  const { rows } = await session.query<{ present: boolean }>(
    `select to_regclass('plinth.rollup_consumers') is not null as present`,
  )
  if (rows[0]?.present) return
  await withTransaction(session, async () => {
    await session.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', ['plinth.rollup ledger'])
    for (const statement of ledgerStatements) await session.query(statement)
  })
}

/** Holds the lease of that name while `work` runs, and renews it by itself. */
export async function withLease<T>(
  session: Session,
  name: string,
  { owner, runId = '', waitMs, ttlMs, emit, signal }: LeaseOptions,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const options = { kind: 'lease', owner: { actor: owner, runId }, waitMs, leaseMs: ttlMs, emit, signal } as const
  return withLock(session, name, options, held =>
    work({
      name,
      token: held.token ?? 0n,
      assertHeld: () => held.lost?.throwIfAborted(),
      fence: inner => held.fence(inner),
    }),
  )
}

const ledgerStatements = [
  ownSchema,
  `create table if not exists plinth.rollup_consumers (
     source text not null,
     consumer text not null,
     snapshot text not null,
     token bigint not null,
     acknowledged_at timestamptz not null,
     primary key (source, consumer)
   )`,
  `comment on table plinth.rollup_consumers is 'How far each warehouse has read the marks of a source; marks that all have passed are deleted.'`,
]

/**
 * Who may roll a source up: one runner at a time, by a row with a fencing token. A runner that sleeps past its lease loses it to the
 * next, and the target refuses it by its token when it wakes. The lease of a runner that died is free at once, since its server process
 * is gone; behind a transaction pooler, where that cannot be seen, it is free when it expires.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { Emit } from '../telemetry/event.ts'

export interface Lease {
  readonly name: string
  /** Grows by one with every holder. */
  readonly token: bigint
  /** Throws LEASE_LOST when another runner is known to have taken over. The target's own check is what protects it. */
  assertHeld(): void
}

export interface LeaseOptions {
  /** Shown to who waits. */
  readonly owner: string
  /** Give up after this many milliseconds with LOCK_TIMEOUT. */
  readonly waitMs: number
  /** How long the lease outlives its last heartbeat. */
  readonly ttlMs: number
  readonly emit: Emit
  readonly signal?: AbortSignal | undefined
}

/** The tables of ours in the source database. Safe to call by several at once. */
export async function ensureSourceLedger(session: Session): Promise<void> {
  const { rows } = await session.query<{ present: boolean }>(
    `select to_regclass('plinth.rollup_leases') is not null and to_regclass('plinth.rollup_consumers') is not null as present`,
  )
  if (rows[0]?.present) return
  await withTransaction(session, async () => {
    await session.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', ['plinth.rollup ledger'])
    for (const statement of ledgerStatements) await session.query(statement)
  })
}

/** Holds the lease of that name while `work` runs, and renews it by itself. The session must not be used for anything that takes long. */
export async function withLease<T>(
  session: Session,
  name: string,
  options: LeaseOptions,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const token = await acquire(session, name, options)
  const acquiredAt = performance.now()
  let lost = false
  const renew = async () => {
    const { rowCount } = await session.query(renewQuery, [name, token, options.ttlMs])
    if (rowCount === 0) lost = true
  }
  // A heartbeat that fails proves nothing; the next one or the target tells.
  const heartbeat = setInterval(() => void renew().catch(() => undefined), options.ttlMs / 3)
  heartbeat.unref()
  try {
    return await work({
      name,
      token,
      assertHeld: () => {
        if (lost) throw leaseLost(name)
      },
    })
  } finally {
    clearInterval(heartbeat)
    await session.query(releaseQuery, [name, token]).catch(() => undefined)
    options.emit({ type: 'lock.released', lock: name, heldMs: Math.round(performance.now() - acquiredAt) })
  }
}

export function leaseLost(name: string): PlinthError {
  return new PlinthError('LEASE_LOST', `Another runner took over the lease "${name}".`, {
    at: { object: name },
    hint: 'Nothing of this run was kept after that. Run again if the other run does not do what you need.',
  })
}

const ledgerStatements = [
  'create schema if not exists plinth',
  `create table if not exists plinth.rollup_leases (
     name text primary key,
     token bigint not null,
     owner text not null,
     backend_pid integer not null,
     backend_started_at timestamptz,
     acquired_at timestamptz not null,
     expires_at timestamptz not null
   )`,
  `comment on table plinth.rollup_leases is 'Who rolls a source up; the token fences off runners that lost their lease.'`,
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

/** A lease is free when it was released, has expired, or its holder's server process is gone. */
const acquireQuery = `
insert into plinth.rollup_leases as held (name, token, owner, backend_pid, backend_started_at, acquired_at, expires_at)
select $1, 1, $2, pid, backend_start, clock_timestamp(), clock_timestamp() + make_interval(secs => $3::float8 / 1000)
from pg_stat_activity
where pid = pg_backend_pid()
on conflict (name) do update
set token = held.token + 1,
    owner = excluded.owner,
    backend_pid = excluded.backend_pid,
    backend_started_at = excluded.backend_started_at,
    acquired_at = excluded.acquired_at,
    expires_at = excluded.expires_at
where held.expires_at <= clock_timestamp()
   or not exists (
     select from pg_stat_activity as holder
     where holder.pid = held.backend_pid
       and (holder.backend_start is null or holder.backend_start = held.backend_started_at)
   )
returning token::text as token`

const renewQuery = `
update plinth.rollup_leases
set expires_at = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
where name = $1 and token = $2`

const releaseQuery = `update plinth.rollup_leases set expires_at = '-infinity' where name = $1 and token = $2`

async function acquire(session: Session, name: string, options: LeaseOptions): Promise<bigint> {
  const started = performance.now()
  let pauseMs = 25
  let toldAtMs = Number.NEGATIVE_INFINITY
  for (;;) {
    const { rows } = await session.query<{ token: string }>(acquireQuery, [name, options.owner, options.ttlMs])
    const waitedMs = Math.round(performance.now() - started)
    if (rows[0]) {
      options.emit({ type: 'lock.acquired', lock: name, waitedMs })
      return BigInt(rows[0].token)
    }
    const holder = await holderOf(session, name)
    if (waitedMs >= options.waitMs) {
      throw new PlinthError('LOCK_TIMEOUT', `The lease "${name}" is held by ${holder ?? 'another run'}.`, {
        at: { object: name },
        hint: 'Wait for that run to end, then run again.',
        details: { lock: name, holder, waitedMs },
      })
    }
    if (waitedMs - toldAtMs >= 5000) {
      options.emit({ type: 'lock.waiting', lock: name, holder, waitedMs })
      toldAtMs = waitedMs
    }
    await sleep(pauseMs * (0.75 + Math.random() / 2), undefined, options.signal ? { signal: options.signal } : {})
    pauseMs = Math.min(pauseMs * 2, 1000)
  }
}

async function holderOf(session: Session, name: string): Promise<string | null> {
  const { rows } = await session.query<{ owner: string; since: string }>(
    'select owner, acquired_at as since from plinth.rollup_leases where name = $1',
    [name],
  )
  return rows[0] ? `${rows[0].owner}, since ${rows[0].since}` : null
}

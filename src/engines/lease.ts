/**
 * A lock as a row, for connections that cannot hold a session lock: behind a transaction pooler each transaction may have another server
 * process, and an advisory lock stays with whichever took it. The row has an owner, a time at which it ends unless a heartbeat moves it, and
 * a token that grows with every owner. Whoever slept past the end may find the token changed: `fence` asks for it inside the very transaction
 * that would change something, and keeps the next owner waiting until that transaction has ended.
 */
import { hostname } from 'node:os'
import { PlinthError } from '../errors.ts'
import type { Session } from './engine.ts'
import { ownSchema } from './postgres/own-schema.ts'
import { type Polling, pollFor, type Refused } from './polling.ts'

export interface LeaseOptions extends Polling {
  /** Shown to those who wait: who answers for it, and in which run. */
  readonly owner?: { readonly actor: string; readonly runId: string } | undefined
  /** How long the lease outlives its last heartbeat; default 30 seconds. */
  readonly leaseMs?: number | undefined
}

/** What the holder of a lock is given. */
export interface Held {
  /**
   * To be awaited in every transaction that changes something under the lock, as late as possible before its commit. Throws LEASE_LOST when
   * another runner has taken over; the transaction must be rolled back then.
   */
  fence(session: Session): Promise<void>
  /** Aborts, with LEASE_LOST as its reason, as soon as a heartbeat finds that another runner has taken over. */
  readonly lost: AbortSignal | null
  /** How long a lease lasts without a heartbeat; null for a session lock. */
  readonly leaseMs: number | null
  /** Grows by one with every holder, so that another database can refuse whoever came before; null for a session lock. */
  readonly token: bigint | null
}

export const leaseMsDefault = 30_000

export async function withLease<T>(
  session: Session,
  name: string,
  options: LeaseOptions,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  await ensureTable(session)
  const { got: lease, waitedMs } = await pollFor(name, options, () => tryLease(session, name, options))
  const { emit } = options
  if (lease.before !== null) emit({ type: 'warning', message: `${lease.before} This run took it over.`, hint: null })
  const acquired = performance.now()
  emit({ type: 'lock.acquired', lock: name, waitedMs })
  const leaseMs = options.leaseMs ?? leaseMsDefault
  const heartbeat = new Heartbeat(session, name, lease.token, leaseMs)
  try {
    return await work({
      fence: inner => fence(inner, name, lease.token),
      lost: heartbeat.lost,
      leaseMs,
      token: BigInt(lease.token),
    })
  } finally {
    await heartbeat.stop()
    await release(session, name, lease.token)
    emit({ type: 'lock.released', lock: name, heldMs: Math.round(performance.now() - acquired) })
  }
}

/** Who has the lease at this moment, for people to read; null when nobody has. For those that hold a session lock of the same name. */
export async function leaseHolder(session: Session, name: string): Promise<string | null> {
  const { rows } = await session.query(readableQuery)
  if (rows.length === 0) return null
  const found = await readLease(session, name)
  return found && !found.free ? describe(found) : null
}

interface Lease {
  readonly token: string
  /** Of an owner who never released it: what became of the lease. */
  readonly before: string | null
}

/** Polls read only; they write when there is something to be had. */
async function tryLease(session: Session, name: string, options: LeaseOptions): Promise<Lease | Refused> {
  const found = await readLease(session, name)
  if (found && !found.free) return { holder: describe(found) }
  if (!found) await session.query(seedQuery, [name])
  const token = await take(session, name, options)
  if (token === null) return { holder: found && describe(found) }
  // A runner on a direct connection holds a session lock of the same name; it sees our row and we see its lock, so one of us gives way.
  const direct = await session.lockHolder(name)
  if (direct === null) return { token, before: found && !found.released ? obituary(name, found) : null }
  await release(session, name, token)
  return { holder: direct }
}

/** Null when another waiter was faster, or the last owner still has a transaction open that passed its fence. */
async function take(session: Session, name: string, options: LeaseOptions): Promise<string | null> {
  const { actor = 'plinth', runId = null } = options.owner ?? {}
  const values = [name, actor, hostname(), process.pid, runId, options.leaseMs ?? leaseMsDefault, !session.pooled]
  try {
    await session.script("begin; set local lock_timeout = '1s'")
    const { rows } = await session.query<{ token: string }>(takeQuery, values)
    await session.query('commit')
    return rows[0]?.token ?? null
  } catch (thrown) {
    await session.query('rollback').catch(() => undefined)
    if (thrown instanceof PlinthError && thrown.sqlState === '55P03') return null
    throw thrown
  }
}

/** A key-share lock: heartbeats pass it, the next owner, who changes the token, does not. */
async function fence(session: Session, name: string, token: string): Promise<void> {
  const { rows } = await session.query(
    'select 1 from plinth.leases where name = $1 and token = $2::bigint for key share',
    [name, token],
  )
  if (rows.length === 0) throw leaseLost(name)
}

/** A lease that cannot be given back ends by itself. */
async function release(session: Session, name: string, token: string): Promise<void> {
  await session.query(releaseQuery, [name, token]).catch(() => undefined)
}

export function leaseLost(name: string): PlinthError {
  return new PlinthError('LEASE_LOST', `Another runner took over the lease "${name}".`, {
    at: { object: name },
    hint: 'Nothing of this run was kept after that. Run again if the other run does not do what you need.',
  })
}

/** Moves the end of the lease, three times in its length, on a connection of its own that is opened when the first one is due. */
class Heartbeat {
  readonly #session: Session
  readonly #values: readonly [string, string, number]
  readonly #loss = new AbortController()
  readonly #timer: NodeJS.Timeout
  #connection: Session | undefined
  #beating: Promise<void> = Promise.resolve()

  constructor(session: Session, name: string, token: string, leaseMs: number) {
    this.#session = session
    this.#values = [name, token, leaseMs]
    this.#timer = setInterval(() => {
      // One after the other; one that fails proves nothing, since the next one or the fence tells.
      this.#beating = this.#beating.then(() => this.#beat()).catch(() => this.#hangUp())
    }, leaseMs / 3)
    this.#timer.unref()
  }

  get lost(): AbortSignal {
    return this.#loss.signal
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#beating
    await this.#hangUp()
  }

  async #beat(): Promise<void> {
    this.#connection ??= await this.#session.sibling?.('plinth lease')
    const done = await this.#connection?.query(renewQuery, this.#values)
    if (done?.rowCount === 0) this.#loss.abort(leaseLost(this.#values[0]))
  }

  async #hangUp(): Promise<void> {
    await this.#connection?.close().catch(() => undefined)
    this.#connection = undefined
  }
}

/** Sixteen may come at once; what they wait for is held as long as it takes to make a table. */
async function ensureTable(session: Session): Promise<void> {
  const { rows } = await session.query<{ present: boolean }>(
    "select to_regclass('plinth.leases') is not null as present",
  )
  if (rows[0]?.present) return
  try {
    await session.script(tableScript)
  } catch (thrown) {
    await session.query('rollback').catch(() => undefined)
    throw thrown
  }
}

/** The key holds the token, so that only a change of the owner collides with a fence. */
const tableScript = `begin;
select pg_advisory_xact_lock(hashtextextended('plinth.leases', 0));
${ownSchema};
create table if not exists plinth.leases (
  name text primary key,
  token bigint not null,
  owner text not null,
  host text not null,
  process_id integer not null,
  run_id text,
  backend_pid integer,
  backend_started_at timestamptz,
  acquired_at timestamptz not null,
  renewed_at timestamptz not null,
  expires_at timestamptz not null,
  unique (name, token)
);
comment on table plinth.leases is 'Who holds a lock of Plinth behind a connection pooler; the token fences off runners that lost theirs.';
commit`

/** Free is what was released, has ended, or belongs to a server process of its owner's own that is gone. */
const isFree = `(held.expires_at <= clock_timestamp() or (held.backend_pid is not null and not exists (
  select from pg_catalog.pg_stat_activity as alive
  where alive.pid = held.backend_pid and (alive.backend_start is null or alive.backend_start = held.backend_started_at))))`

/** Asked of the catalog, since a role that may not enter the schema may not even name the table. */
const readableQuery = `
select 1
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'plinth' and c.relname = 'leases'
  and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')`

const readQuery = `
select held.owner, held.host, held.process_id, held.run_id, held.expires_at, held.renewed_at,
  held.expires_at = '-infinity' as released, ${isFree} as free
from plinth.leases as held
where held.name = $1`

/** A name that nobody ever held; two that come at once make one row. */
const seedQuery = `
insert into plinth.leases (name, token, owner, host, process_id, acquired_at, renewed_at, expires_at)
values ($1, 0, '', '', 0, '-infinity', '-infinity', '-infinity')
on conflict do nothing`

const takeQuery = `
update plinth.leases as held
set token = held.token + 1,
    owner = $2,
    host = $3,
    process_id = $4::integer,
    run_id = $5,
    backend_pid = own.pid,
    backend_started_at = own.backend_start,
    acquired_at = clock_timestamp(),
    renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => $6::double precision / 1000)
from (select) as one
left join pg_catalog.pg_stat_activity as own on own.pid = pg_backend_pid() and $7::boolean
where held.name = $1 and ${isFree}
returning held.token::text as token`

const renewQuery = `
update plinth.leases
set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $3::double precision / 1000)
where name = $1 and token = $2::bigint`

const releaseQuery = `update plinth.leases set expires_at = '-infinity' where name = $1 and token = $2::bigint`

interface Found {
  readonly owner: string
  readonly host: string
  readonly process_id: number
  readonly run_id: string | null
  readonly renewed_at: string
  readonly expires_at: string
  readonly released: boolean
  readonly free: boolean
}

async function readLease(session: Session, name: string): Promise<Found | null> {
  const { rows } = await session.query<Found>(readQuery, [name])
  return rows[0] ?? null
}

function describe(found: Found): string {
  return `${nameOf(found)}, until ${seconds(found.expires_at)} unless it is renewed`
}

function obituary(name: string, found: Found): string {
  return `The lease "${name}" of ${nameOf(found)} was last renewed at ${seconds(found.renewed_at)} and never released.`
}

function nameOf({ owner, host, process_id: pid, run_id: run }: Found): string {
  return `${owner} (process ${pid} on ${host}${run === null ? '' : `, run ${run}`})`
}

function seconds(timestamp: string): string {
  return `${timestamp.slice(0, 19)}Z`
}

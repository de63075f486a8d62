/**
 * Who stands in our way, and in whose way we stand: a second connection samples the server's lock table while something runs. It is opened
 * when the work has taken a moment, so that quick work pays nothing, and whatever fails here is nobody else's failure.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Blocker, LockWaits, Session, Watch, WatchOptions } from '../engine.ts'
import type { Summary } from './query-summary.ts'

/** The server process that is watched; behind a pooler, whichever works under that application name. */
export type Watched = { readonly processId: number } | { readonly application: string | null }

export function watchLocks(open: () => Promise<Session>, watched: Watched, options: WatchOptions): Watch {
  return new LockWatch(open, watched, options)
}

const retellMs = 5000
const answerMsMax = 1000

class LockWatch implements Watch {
  readonly #open: () => Promise<Session>
  readonly #watched: Watched
  readonly #onBlocked: WatchOptions['onBlocked']
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #session: Session | undefined
  #summary: Summary | undefined
  #sampling: Promise<void> = Promise.resolve()
  #isOver = false
  #samples = 0
  /** Waits that the last sample saw, by a key that one wait keeps; `at` is when. */
  #ours = new Map<string, Wait>()
  #others = new Map<string, Wait>()
  #lockWaitMs = 0
  #blockedSessionsMax = 0
  #blockedMsMax = 0
  #blockers: readonly Blocker[] = []
  #told = { who: '', atMs: -Infinity }

  constructor(
    open: () => Promise<Session>,
    watched: Watched,
    { onBlocked, afterMs = 200, everyMs = 150 }: WatchOptions,
  ) {
    this.#open = open
    this.#watched = watched
    this.#onBlocked = onBlocked
    this.#everyMs = everyMs
    // Behind a pooler, a name that others share would tell of others' waits.
    if ('processId' in watched || watched.application?.startsWith('plinth:')) this.#schedule(afterMs)
  }

  async stop(): Promise<LockWaits | null> {
    this.#isOver = true
    clearTimeout(this.#timer)
    // A server that does not answer the observer must not keep the step.
    await Promise.race([this.#sampling, sleep(answerMsMax, undefined, { ref: false })])
    // What was seen waiting last has waited until about now.
    this.#settle([], [])
    await this.#hangUp()
    if (this.#samples === 0) return null
    return {
      lockWaitMs: Math.round(this.#lockWaitMs),
      blockedSessionsMax: this.#blockedSessionsMax,
      blockedMsMax: Math.round(this.#blockedMsMax),
      blockers: this.#blockers,
    }
  }

  #schedule(pauseMs: number): void {
    this.#timer = setTimeout(() => {
      this.#sampling = this.#sampleAndGoOn()
    }, pauseMs)
    this.#timer.unref()
  }

  async #sampleAndGoOn(): Promise<void> {
    await this.#sample().catch(() => this.#hangUp())
    if (!this.#isOver) this.#schedule(this.#everyMs)
  }

  async #hangUp(): Promise<void> {
    await this.#session?.close().catch(() => undefined)
    this.#session = undefined
  }

  async #sample(): Promise<void> {
    this.#session ??= await this.#open()
    const session = this.#session
    const [processId, application] =
      'processId' in this.#watched ? [this.#watched.processId, null] : [null, this.#watched.application]
    const sampled = await session.query<WaiterRow>(waitersQuery, [processId, application])
    const rows = sampled.rows.map(row => this.#asSeen(row))
    this.#samples++
    const ours = rows.filter(row => row.ours)
    const blocked = behindUs(rows)
    this.#settle(ours, blocked)
    this.#blockedSessionsMax = Math.max(this.#blockedSessionsMax, new Set(blocked.map(row => row.pid)).size)
    if (ours.length > 0 && !this.#isOver) await this.#name(session, ours)
  }

  /** Servers before 14 do not say since when a session waits: at least for as long as it was seen waiting. */
  #asSeen(row: WaiterRow): WaiterRow {
    const seen = this.#ours.get(keyOf(row)) ?? this.#others.get(keyOf(row))
    if (!seen) return row
    return { ...row, waited_ms: Math.max(row.waited_ms, seen.waitedMs + performance.now() - seen.atMs) }
  }

  /** Waits that are gone since the last sample ended in between; they are counted until now, so that nothing is made smaller than it was. */
  #settle(ours: readonly WaiterRow[], others: readonly WaiterRow[]): void {
    const now = performance.now()
    for (const ended of endedOf(this.#ours, ours)) this.#lockWaitMs += ended.waitedMs + (now - ended.atMs)
    for (const ended of endedOf(this.#others, others)) this.#noteBlocked(ended.waitedMs + (now - ended.atMs))
    for (const row of others) this.#noteBlocked(row.waited_ms)
    this.#ours = waitsOf(ours, now)
    this.#others = waitsOf(others, now)
  }

  #noteBlocked(waitedMs: number): void {
    this.#blockedMsMax = Math.max(this.#blockedMsMax, waitedMs)
  }

  async #name(session: Session, ours: readonly WaiterRow[]): Promise<void> {
    const waitedMs = Math.max(...ours.map(row => row.waited_ms))
    const ids = [...new Set(ours.flatMap(row => row.blockers).filter(id => id > 0))].sort((a, b) => a - b)
    const who = ids.join(' ')
    const now = performance.now()
    if (ids.length === 0 || (who === this.#told.who && now - this.#told.atMs < retellMs)) return
    const summary = (this.#summary ??= await (await import('./query-summary.ts')).createSummary())
    const { rows } = await session.query<BlockerRow>(blockersQuery, [ids, ...(ours[0]?.target ?? [])])
    this.#told = { who, atMs: now }
    if (rows.length === 0) return
    this.#blockers = rows.map(({ query, process_id: processId, ...row }) => ({
      processId,
      ...row,
      summary: query === null ? null : summary(query),
    }))
    this.#onBlocked(Math.round(waitedMs), this.#blockers)
  }
}

interface Wait {
  readonly waitedMs: number
  readonly atMs: number
}

interface WaiterRow {
  readonly pid: number
  readonly ours: boolean
  readonly waited_ms: number
  /** When the wait began, else what is waited for, which tells one wait from the next of the same session. */
  readonly began: string
  readonly blockers: readonly number[]
  /** Columns of pg_locks that say what is waited for. */
  readonly target: readonly (string | null)[]
}

interface BlockerRow extends Omit<Blocker, 'summary' | 'processId'> {
  readonly process_id: number
  readonly query: string | null
}

function waitsOf(rows: readonly WaiterRow[], atMs: number): Map<string, Wait> {
  return new Map(rows.map(row => [keyOf(row), { waitedMs: row.waited_ms, atMs }]))
}

function endedOf(before: ReadonlyMap<string, Wait>, now: readonly WaiterRow[]): Wait[] {
  const lasting = new Set(now.map(keyOf))
  return [...before].filter(([key]) => !lasting.has(key)).map(([, wait]) => wait)
}

function keyOf({ pid, began }: WaiterRow): string {
  return `${pid} ${began}`
}

/** Those that wait for us, and those that wait for them. */
function behindUs(rows: readonly WaiterRow[]): WaiterRow[] {
  const us = new Set(rows.filter(row => row.ours).map(row => row.pid))
  const behind = new Set<number>()
  const others = rows.filter(row => !us.has(row.pid))
  for (let grown = true; grown; ) {
    const before = behind.size
    for (const { pid, blockers } of others) if (blockers.some(each => each < 0 || behind.has(each))) behind.add(pid)
    grown = behind.size > before
  }
  return others.filter(row => behind.has(row.pid))
}

/**
 * Every session that waits for a lock in this database, by whom. Our own process among the blockers is written with a minus, since we may
 * block without waiting ourselves. Only sessions that wait are asked for their blockers, which takes the lock table for a moment.
 */
const waitersQuery = `
with us as (
  select pid from pg_catalog.pg_stat_activity
  where pid = $1::integer or (application_name = $2 and pid <> pg_backend_pid())
), waiting as (
  select distinct on (l.pid) l.pid, (to_jsonb(l) ->> 'waitstart')::timestamptz as waitstart, to_jsonb(array[
    l.locktype, l.database::text, l.relation::text, l.transactionid::text, l.virtualxid, l.objid::text]) as target
  from pg_catalog.pg_locks l
  join pg_catalog.pg_stat_activity a on a.pid = l.pid and a.datid = (select oid from pg_catalog.pg_database where datname = current_database())
  where not l.granted and l.pid <> pg_backend_pid()
)
select w.pid, w.pid in (select pid from us) as ours,
  greatest(0, extract(epoch from clock_timestamp() - coalesce(w.waitstart, clock_timestamp())) * 1000)::double precision as waited_ms,
  coalesce(w.waitstart::text, w.target::text) as began, w.target,
  array(select case when b in (select pid from us) then -b else b end from unnest(pg_blocking_pids(w.pid)) as b)::integer[] as blockers
from waiting w`

/** What they hold of that which we wait for; who waits ahead of us holds nothing yet, and his own request is named. */
const blockersQuery = `
select a.pid as process_id, a.application_name as application, a.usename::text as user, a.state,
  case when a.query = '<insufficient privilege>' or a.query = '' then null else a.query end as query,
  held.mode, case when $2 = 'relation' then $4::oid::regclass::text else $2 end as object, a.xact_start as since
from pg_catalog.pg_stat_activity a
left join lateral (
  select l.mode from pg_catalog.pg_locks l
  where l.pid = a.pid and l.locktype = $2 and l.database::text is not distinct from $3
    and l.relation::text is not distinct from $4 and l.transactionid::text is not distinct from $5
    and l.virtualxid is not distinct from $6 and l.objid::text is not distinct from $7
  order by l.granted desc limit 1
) held on true
where a.pid = any($1::integer[])
order by a.xact_start nulls last, a.pid
limit 5`

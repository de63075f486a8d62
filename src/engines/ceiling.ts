/** Holds batches back while others need the server: sessions that work, and replicas that are behind. */
import type { Session } from './engine.ts'

export interface Ceiling {
  /** Other sessions that may be at work at once; 0 for no ceiling. */
  readonly maxActive: number
  /** How far a replica may be behind, in milliseconds; 0 for no ceiling. */
  readonly maxLagMs: number
}

export interface Load {
  readonly active: number
  /** Of the replica that is furthest behind; null where there is none, or the role may not see it. */
  readonly lagMs: number | null
}

/** Null while the batches may go on. */
export function excessOf({ maxActive, maxLagMs }: Ceiling, { active, lagMs }: Load): Excess | null {
  if (maxActive > 0 && active > maxActive) return { reason: 'sessions', observed: active, ceiling: maxActive }
  if (maxLagMs > 0 && lagMs !== null && lagMs > maxLagMs)
    return { reason: 'replica lag', observed: Math.round(lagMs), ceiling: maxLagMs }
  return null
}

export interface Excess {
  readonly reason: 'sessions' | 'replica lag'
  readonly observed: number
  readonly ceiling: number
}

/**
 * Asked again and again, answers what the server says of its replicas, and what was seen: the server measures a lag when a replica replays
 * something, so of one that replays nothing it goes on telling the last one. What was written at an earlier question and is not replayed yet
 * is behind since then. Where nothing waits to be replayed nothing is behind, however long ago the last write was.
 */
export function openGauge(session: Session, now: () => number = () => performance.now()): () => Promise<Load> {
  let written: readonly Written[] = []
  return async () => {
    const { rows } = await session.query<LoadRow>(loadQuery)
    const { active = 0, lag = null, position = null, replayed = null } = rows[0] ?? {}
    if (position === null || replayed === null) return { active, lagMs: lag }
    const open = written.filter(one => one.position > Number(replayed))
    const since = open[0]
    // Twice the needed fineness, and a bound on what is remembered.
    written = [...open, { position: Number(position), atMs: now() }].filter(
      (_, at, all) => at < 500 || at === all.length - 1,
    )
    return {
      active,
      lagMs: Math.max(
        since === undefined ? 0 : now() - since.atMs,
        Number(position) > Number(replayed) ? (lag ?? 0) : 0,
      ),
    }
  }
}

interface Written {
  /** In bytes of the log. */
  readonly position: number
  readonly atMs: number
}

interface LoadRow {
  readonly [name: string]: unknown
  readonly active: number
  readonly lag: number | null
  /** Of the log, in bytes; null where there is no replica. */
  readonly position: string | null
  readonly replayed: string | null
}

/** A backup that is being taken follows the log as well, and replays nothing. */
const loadQuery = `
  select
    (select count(*)::integer from pg_catalog.pg_stat_activity
      where state = 'active' and backend_type = 'client backend' and pid <> pg_backend_pid()) as active,
    (extract(epoch from max(greatest(replay_lag, flush_lag, write_lag))) * 1000)::double precision as lag,
    case when min(coalesce(replay_lsn, flush_lsn, write_lsn)) is not null and not pg_catalog.pg_is_in_recovery()
      then pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0') end as position,
    pg_catalog.pg_wal_lsn_diff(min(coalesce(replay_lsn, flush_lsn, write_lsn)), '0/0') as replayed
  from pg_catalog.pg_stat_replication
  where state in ('streaming', 'catchup')`

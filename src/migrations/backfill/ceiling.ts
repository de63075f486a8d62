/** Holds batches back while others need the server: sessions that work, and replicas that are behind. */
import type { Session } from '../../engines/engine.ts'
import type { Directives } from '../directives.ts'

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

export function ceilingOf({ maxActive, maxLagMs }: Directives): Ceiling {
  return { maxActive: maxActive ?? 50, maxLagMs: maxLagMs ?? 10_000 }
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

/** A replica that is not asked for anything has no lag of its own, so what is not replayed yet counts only with a time. */
export async function readLoad(session: Session): Promise<Load> {
  const { rows } = await session.query<{ active: number; lag: number | null }>(`
    select
      (select count(*)::integer from pg_catalog.pg_stat_activity
        where state = 'active' and backend_type = 'client backend' and pid <> pg_backend_pid()) as active,
      (select (extract(epoch from max(greatest(replay_lag, flush_lag, write_lag))) * 1000)::double precision
        from pg_catalog.pg_stat_replication) as lag`)
  return { active: rows[0]?.active ?? 0, lagMs: rows[0]?.lag ?? null }
}

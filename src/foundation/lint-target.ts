/** How big the tables of a target are. */
import type { Session } from '../engines/engine.ts'

/**
 * About how many rows each table has, by `schema.table`, a partitioned one with those of its partitions: what the server estimated, or counted since. To
 * look at the tables themselves would wait for whoever holds a lock on one.
 */
export async function targetOf(session: Session): Promise<Readonly<Record<string, number>>> {
  const { rows } = await session.query<{ name: string; estimate: number }>(
    `with recursive sizes as (
      select c.oid, greatest(0, c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid))::float8 as rows
      from pg_catalog.pg_class c
      where c.relkind in ('r', 'm')
    ),
    members as (
      select c.oid as root, c.oid as member from pg_catalog.pg_class c where c.relkind in ('r', 'p', 'm')
      union all
      select m.root, i.inhrelid from members m join pg_catalog.pg_inherits i on i.inhparent = m.member
    )
    select n.nspname || '.' || c.relname as name, coalesce(pg_catalog.sum(s.rows), 0)::float8 as estimate
    from members m
    left join sizes s on s.oid = m.member
    join pg_catalog.pg_class c on c.oid = m.root
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    group by 1
    order by 1`,
  )
  return Object.fromEntries(rows.map(({ name, estimate }) => [name, Math.round(estimate)]))
}

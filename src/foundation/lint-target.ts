/** How big the tables of a target are. */
import type { Session } from '../engines/engine.ts'

/**
 * About how many rows each table has, by `schema.table`, a partitioned one with those of its partitions. What the server estimated is scaled to
 * the pages that there are now; where it never looked, a page is taken to hold sixty rows.
 */
export async function targetOf(session: Session): Promise<Readonly<Record<string, number>>> {
  const { rows } = await session.query<{ name: string; estimate: number }>(
    `with recursive sizes as (
      select c.oid,
        case
          when c.relkind = 'p' then 0
          when c.reltuples > 0 and c.relpages > 0 then c.reltuples / c.relpages
          else 60
        end * pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int as rows
      from pg_catalog.pg_class c
      where c.relkind in ('r', 'p', 'm')
    ),
    members as (
      select oid as root, oid as member from sizes
      union all
      select m.root, i.inhrelid from members m join pg_catalog.pg_inherits i on i.inhparent = m.member
    )
    select n.nspname || '.' || c.relname as name, pg_catalog.sum(s.rows)::float8 as estimate
    from members m
    join sizes s on s.oid = m.member
    join pg_catalog.pg_class c on c.oid = m.root
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    group by 1
    order by 1`,
  )
  return Object.fromEntries(rows.map(({ name, estimate }) => [name, Math.round(estimate)]))
}

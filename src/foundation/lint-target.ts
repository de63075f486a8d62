/** How big the tables of a target are. */
import { withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { asPlinthError } from '../errors.ts'

/**
 * About how many rows each table has, by `schema.table`, a partitioned one with those of its partitions: the planner's estimate, or what was
 * counted since, whichever is more. Where nobody ever looked, the file is measured, a page taken to hold sixty rows; that needs a lock, so
 * where somebody keeps it from us the table is taken to be big. It never waits behind another session.
 */
export async function targetOf(session: Session): Promise<Readonly<Record<string, number>>> {
  const { rows } = await withTransaction(session, async () => {
    await session.query("set local lock_timeout = '100ms'")
    return session.query<TableRows>(estimates('pg_catalog.pg_relation_size(c.oid) / 8192 * 60'))
  }).catch((thrown: unknown) => {
    if (asPlinthError(thrown).sqlState !== '55P03') throw thrown
    return session.query<TableRows>(estimates('1000000000'))
  })
  return Object.fromEntries(rows.map(({ name, estimate }) => [name, Math.round(estimate)]))
}

interface TableRows {
  readonly name: string
  readonly estimate: number
}

function estimates(unknown: string): string {
  return `
    with recursive sizes as (
      select c.oid,
        case
          when c.relkind = 'p' then 0
          when c.reltuples < 0 and pg_catalog.pg_stat_get_live_tuples(c.oid) = 0 then ${unknown}
          else greatest(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid))
        end as rows
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
    order by 1`
}

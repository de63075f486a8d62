/** The key that orders a table's rows: what batches follow, and what a cursor remembers. */
import type { Session } from '../../engines/engine.ts'
import type { KeyColumn } from './rewrite.ts'

export interface TableKey {
  readonly columns: readonly KeyColumn[]
  /** Unquoted names, in the same order. */
  readonly names: readonly string[]
}

/**
 * The primary key, else a unique index over columns that are never null. Null when the table has neither: then no order is there to go on from.
 * `table` is quoted and as far qualified as the file wrote it.
 */
export async function readKey(session: Session, table: string): Promise<TableKey | null> {
  const { rows } = await session.query<{ name: string; quoted: string; type: string }>(
    `with key as (
      select i.indrelid, i.indkey::int2[] as attributes, i.indnkeyatts
      from pg_catalog.pg_index i
      where i.indrelid = to_regclass($1) and i.indisunique and i.indisvalid and i.indimmediate
        and i.indpred is null and i.indexprs is null
        and not exists (
          select from pg_catalog.pg_attribute a
          where a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts - 1]) and not a.attnotnull
        )
      order by i.indisprimary desc, i.indnkeyatts, i.indexrelid
      limit 1
    )
    select a.attname::text as name, quote_ident(a.attname) as quoted, format_type(a.atttypid, a.atttypmod) as type
    from key
    cross join lateral unnest(key.attributes) with ordinality as part (attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = key.indrelid and a.attnum = part.attnum
    where part.position <= key.indnkeyatts
    order by part.position`,
    [table],
  )
  if (rows.length === 0) return null
  return {
    columns: rows.map(({ quoted, type }) => ({ name: quoted, type })),
    names: rows.map(({ name }) => name),
  }
}

/** Statistics where the table was analyzed, with all its partitions; else a count, since a progress without an end says little. */
export async function countRows(session: Session, table: string): Promise<number> {
  const { rows } = await session.query<{ known: boolean; rows: string }>(
    `select bool_and(c.reltuples >= 0) as known, coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint as rows
    from pg_catalog.pg_partition_tree(to_regclass($1)) t
    join pg_catalog.pg_class c on c.oid = t.relid
    where t.isleaf`,
    [table],
  )
  const estimate = rows[0]
  if (estimate?.known) return Number(estimate.rows)
  const counted = await session.query<{ rows: string }>(`select count(*) as rows from ${table}`)
  return Number(counted.rows[0]?.rows ?? 0)
}

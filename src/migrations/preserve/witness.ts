/** What a transaction really did to tables: the catalog and the counters of rows before and after it, whatever the statements said. */
import type { Session } from '../../engines/engine.ts'

export interface Relation {
  readonly oid: number
  /** Quoted and qualified. */
  readonly name: string
  readonly schema: string
  readonly kind: 'table' | 'partitioned' | 'sequence'
  /** The topmost table of its partition tree; itself where there is none. */
  readonly root: number
  /** Changes when the table is truncated or written anew. */
  readonly file: number
  /** Bytes of the heap; 0 for a table that never held a row. */
  readonly size: number
  /** Rows that this transaction updated and deleted, tried ones included. */
  readonly updated: number
  readonly deleted: number
  /** By attribute number. */
  readonly columns: ReadonlyMap<number, { readonly name: string; readonly type: string }>
}

export type Witness = ReadonlyMap<number, Relation>

/** Tables of users and the archive; nothing temporary and nothing of the system. */
export async function witness(session: Session): Promise<Witness> {
  const { rows } = await session.query<WitnessRow>(
    `
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relkind::text as kind,
      coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid) as root, c.relfilenode as file,
      case when c.relkind = 'r' then coalesce(pg_catalog.pg_relation_size(c.oid), 0) else 0 end::float8 as size,
      pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)::float8 as updated,
      pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)::float8 as deleted,
      (
        select json_agg(json_build_array(a.attnum, a.attname, a.atttypid::text || ':' || a.atttypmod))
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind <> 'S'
      ) as columns
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'S') and c.relpersistence <> 't' and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'plinth')`,
    [],
    { prepared: true },
  )
  return new Map(rows.map(row => [row.oid, readRelation(row)]))
}

/** Rows changed in place are only seen where the server counts them. */
export async function countsRows(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ on: boolean }>("select current_setting('track_counts')::boolean as on", [], {
    prepared: true,
  })
  return rows[0]?.on === true
}

interface WitnessRow extends Omit<Relation, 'kind' | 'columns'> {
  readonly kind: string
  readonly columns: readonly (readonly [number, string, string])[] | null
}

function readRelation(row: WitnessRow): Relation {
  return {
    ...row,
    kind: row.kind === 'S' ? 'sequence' : row.kind === 'p' ? 'partitioned' : 'table',
    columns: new Map((row.columns ?? []).map(([number, name, type]) => [number, { name, type }])),
  }
}

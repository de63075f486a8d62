/** What a transaction really did to tables: the catalog and the counters of rows before and after it, whatever the statements said. */
import type { Parameterized, Result, Session } from '../../engines/engine.ts'

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
  const [result] = await session.send([witnessed])
  return readWitness(result)
}

/** The question of {@link witness}, for those who ask it together with others. */
export const witnessed: Parameterized = {
  text: `
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relkind::text as kind,
      case when c.relispartition then coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid) else c.oid end as root,
      c.relfilenode as file,
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
  prepared: true,
}

export function readWitness(result: Result | undefined): Witness {
  const rows = (result?.rows ?? []) as unknown as readonly WitnessRow[]
  return new Map(rows.map(row => [row.oid, readRelation(row)]))
}

/**
 * The server counts the rows of its own catalog as it counts those of users. So where no statement of a transaction is about definitions, its
 * counters alone tell what it did, at a tenth of the price of a {@link Witness}.
 */
export interface Trace {
  /** Whether the server counts at all. */
  readonly counts: boolean
  /** Another text once relations or columns were made, changed or dropped. */
  readonly catalog: string
  /** Tables with updated or deleted rows, tried ones included; the server may still count those of earlier transactions. */
  readonly changed: readonly Counted[]
}

export type Counted = Pick<Relation, 'oid' | 'name' | 'root' | 'updated' | 'deleted'>

export const traced: Parameterized = {
  text: `
    select pg_catalog.current_setting('track_counts')::boolean as counts,
      (
        select pg_catalog.string_agg(
          pg_catalog.concat_ws(' ', pg_catalog.pg_stat_get_xact_tuples_inserted(oid),
            pg_catalog.pg_stat_get_xact_tuples_updated(oid), pg_catalog.pg_stat_get_xact_tuples_deleted(oid)),
          ',' order by oid
        )
        from pg_catalog.pg_class
        where oid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attribute'::regclass)
      ) as catalog,
      (
        select pg_catalog.json_agg(pg_catalog.json_build_object(
          'oid', c.oid::int8, 'name', pg_catalog.format('%I.%I', n.nspname, c.relname),
          'root', case when c.relispartition then coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid) else c.oid end::int8,
          'updated', pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
          'deleted', pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)
        ))
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_'
          and n.nspname not in ('information_schema', 'plinth', 'plinth_archive')
          and (pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) > 0 or pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) > 0)
      ) as changed`,
  prepared: true,
}

export function readTrace(result: Result | undefined): Trace {
  const [row] = (result?.rows ?? []) as unknown as readonly (Omit<Trace, 'changed'> & Partial<Trace>)[]
  return { counts: row?.counts === true, catalog: row?.catalog ?? '', changed: row?.changed ?? [] }
}

/** Rows changed in place are only seen where the server counts them. */
export const countsRows: Parameterized = {
  text: "select current_setting('track_counts')::boolean as on",
  prepared: true,
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

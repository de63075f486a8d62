/** A table as the archive needs to know it: columns, key, sequences, and which column tells its tenant. */
import type { Parameterized, Result, Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'

export interface Shape {
  readonly oid: number
  /** Quoted and qualified. */
  readonly name: string
  readonly schema: string
  /** Bare. */
  readonly table: string
  readonly kind: string
  readonly columns: readonly ShapeColumn[]
  /** Columns of the primary key, else of a unique index whose columns are not null; null when there is none. */
  readonly key: readonly string[] | null
  /** The column by which the rows of one tenant can be found; null when there is none. */
  readonly tenant: string | null
  readonly sequences: readonly OwnedSequence[]
  readonly forcesRowSecurity: boolean
  readonly bytes: number
}

export interface ShapeColumn {
  readonly number: number
  readonly name: string
  /** As `format_type` spells it. */
  readonly type: string
  /** Type of the copy: the same, or `text` for types that are not the server's own, so that those can be dropped. */
  readonly kept: string
  readonly notNull: boolean
  readonly default: string | null
  /** It is computed from others, so it holds no data of its own. */
  readonly generated: boolean
  /** Quoted and qualified; null where it is the type's own. */
  readonly collation: string | null
}

export interface OwnedSequence {
  readonly column: string
  readonly name: string
  /** Null before the first value. */
  readonly last: string | null
}

/** What a table and its columns were called at another time, by what they are called now. */
export interface Origin {
  /** Quoted and qualified. */
  readonly name: string
  readonly columns: ReadonlyMap<string, string>
}

/** Undefined when there is no such table. A name is quoted and qualified, as `to_regclass` reads it. */
export async function shapeOf(
  session: Session,
  table: number | string,
  options: { readonly tenantColumn: string },
): Promise<Shape | undefined> {
  const [result] = await session.send([shapeAsked(table, options)])
  return readShape(result, options)
}

/** The question of {@link shapeOf}, for those who ask it together with others. */
export function shapeAsked(table: number | string, options: { readonly tenantColumn: string }): Parameterized {
  return {
    text: `select c.oid, format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, c.relname as table, c.relkind::text as kind,
      c.relforcerowsecurity as "forcesRowSecurity",
      (
        select coalesce(sum(pg_catalog.pg_total_relation_size(coalesce(t.relid::oid, c.oid))), 0)::float8
        from pg_catalog.pg_partition_tree(c.oid) t
      ) + case when c.relispartition or c.relkind = 'p' then 0 else pg_catalog.pg_total_relation_size(c.oid) end as bytes,
      (
        select json_agg(json_build_object(
          'number', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
          'kept', case when tn.nspname = 'pg_catalog' then format_type(a.atttypid, a.atttypmod) else 'text' end,
          'notNull', a.attnotnull, 'default', case when a.attgenerated = '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end,
          'generated', a.attgenerated <> '',
          'collation', case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end
        ) order by a.attnum)
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type t on t.oid = a.atttypid
        join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
        left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ) as columns,
      (
        select json_agg(a.attname order by k.place)
        from (
          select i.indrelid, i.indkey, i.indnkeyatts
          from pg_catalog.pg_index i
          where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
            and not exists (
              select
              from unnest(i.indkey::int2[]) with ordinality k (number, place)
              join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
              where k.place <= i.indnkeyatts and not a.attnotnull
            )
          order by i.indisprimary desc, i.indnkeyatts, i.indexrelid
          limit 1
        ) best
        cross join lateral unnest(best.indkey::int2[]) with ordinality k (number, place)
        join pg_catalog.pg_attribute a on a.attrelid = best.indrelid and a.attnum = k.number
        where k.place <= best.indnkeyatts
      ) as key,
      (
        select json_agg(json_build_object(
          'column', a.attname, 'name', format('%I.%I', qn.nspname, q.relname),
          'last', case when has_sequence_privilege(q.oid, 'select, usage') then pg_catalog.pg_sequence_last_value(q.oid)::text end
        ))
        from pg_catalog.pg_depend o
        join pg_catalog.pg_class q on q.oid = o.objid and q.relkind = 'S'
        join pg_catalog.pg_namespace qn on qn.oid = q.relnamespace
        join pg_catalog.pg_attribute a on a.attrelid = o.refobjid and a.attnum = o.refobjsubid
        where o.classid = 'pg_catalog.pg_class'::regclass and o.refclassid = 'pg_catalog.pg_class'::regclass
          and o.refobjid = c.oid and o.deptype in ('a', 'i')
      ) as sequences,
      (
        select min(pk.attname)
        from pg_catalog.pg_constraint f
        join pg_catalog.pg_attribute fk on fk.attrelid = f.conrelid and fk.attnum = f.conkey[1]
        join pg_catalog.pg_attribute pk on pk.attrelid = f.confrelid and pk.attnum = f.confkey[1]
        where f.contype = 'f' and f.confrelid = c.oid and cardinality(f.conkey) = 1 and fk.attname = $2
      ) as referred
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = ${typeof table === 'number' ? '$1::oid' : 'to_regclass($1)'} and c.relkind in ('r', 'p')`,
    values: [table, options.tenantColumn],
    prepared: true,
  }
}

export function readShape(result: Result | undefined, options: { readonly tenantColumn: string }): Shape | undefined {
  const [row] = (result?.rows ?? []) as unknown as readonly ShapeRow[]
  if (!row) return undefined
  const { referred, ...rest } = row
  const columns = row.columns ?? []
  const tenant = columns.some(column => column.name === options.tenantColumn) ? options.tenantColumn : referred
  return { ...rest, columns, sequences: row.sequences ?? [], tenant }
}

/** As {@link shapeOf}, where the table must be there. */
export async function shapeNow(
  session: Session,
  table: number | string,
  options: { readonly tenantColumn: string },
): Promise<Shape> {
  const shape = await shapeOf(session, table, options)
  if (shape) return shape
  throw new PlinthError('INTERNAL', `The table ${table} is not in the catalog any more.`)
}

/** Columns that hold data of their own. */
export function ownColumns(shape: Shape): readonly ShapeColumn[] {
  return shape.columns.filter(column => !column.generated)
}

/** What a copy of rows holds: those, and what is generated where it tells one row from another. */
export function keptColumns(shape: Shape): readonly ShapeColumn[] {
  return shape.columns.filter(column => !column.generated || shape.key?.includes(column.name))
}

/** True when a copy holds these columns as the table does, so that their values can be compared as they are. */
export function keptAsTheyAre(shape: Shape, names: readonly string[]): boolean {
  return shape.columns.every(({ name, kept, type }) => !names.includes(name) || kept === type)
}

interface ShapeRow extends Omit<Shape, 'columns' | 'sequences' | 'tenant'> {
  readonly columns: readonly ShapeColumn[] | null
  readonly sequences: readonly OwnedSequence[] | null
  readonly referred: string | null
}

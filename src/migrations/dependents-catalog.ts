/** Asks PostgreSQL's own record of dependencies (pg_depend) what hangs on something that is to be dropped. */
import type { Session } from '../engines/engine.ts'
import { quotedName } from '../sql/tree.ts'

export interface Dropped {
  /** The parser's word for it, such as `TABLE`, or `COLUMN`. */
  readonly type: string
  readonly name: readonly string[]
  readonly column: string | null
}

export interface Hanging {
  /** The relation that it belongs to, as `schema.name`; for what is no relation, its own name. */
  readonly relation: string
  /** Such as `view public.report`. */
  readonly description: string
}

/** Others only: what goes with the dropped things by itself (indexes, defaults, row types) is not listed. */
export async function dependentsInCatalog(session: Session, dropped: readonly Dropped[]): Promise<Hanging[]> {
  const wanted = dropped.flatMap(addressOf)
  if (wanted.length === 0) return []
  const { rows } = await session.query<Hanging>(hangingQuery, [
    wanted.map(({ lookup }) => lookup),
    wanted.map(({ name }) => name),
    wanted.map(({ column }) => column),
  ])
  return rows
}

interface Address {
  readonly lookup: 'relation' | 'type' | 'function' | 'schema'
  readonly name: string
  readonly column: string | null
}

const lookups: Readonly<Record<string, Address['lookup']>> = {
  TABLE: 'relation',
  VIEW: 'relation',
  MATVIEW: 'relation',
  SEQUENCE: 'relation',
  FOREIGN_TABLE: 'relation',
  COLUMN: 'relation',
  TYPE: 'type',
  DOMAIN: 'type',
  FUNCTION: 'function',
  PROCEDURE: 'function',
  ROUTINE: 'function',
  SCHEMA: 'schema',
}

function addressOf({ type, name, column }: Dropped): Address[] {
  const lookup = lookups[type]
  if (!lookup || name.length === 0) return []
  return [{ lookup, name: lookup === 'function' ? (name.at(-1) ?? '') : quotedName(name), column }]
}

/** Functions are found by their name alone, with all their forms: one too many refuses, one too few would not. */
const hangingQuery = `
with wanted as (
  select *
  from unnest($1::text[], $2::text[], $3::text[]) as w (lookup, name, column_name)
), dropped as (
  select 'pg_class'::regclass as classid, to_regclass(w.name)::oid as objid, coalesce(a.attnum, 0)::int as objsubid
  from wanted w
  left join pg_attribute a on a.attrelid = to_regclass(w.name) and a.attname = w.column_name
  where w.lookup = 'relation' and (w.column_name is null or a.attnum is not null)
  union all
  select 'pg_type'::regclass, to_regtype(w.name)::oid, 0 from wanted w where w.lookup = 'type'
  union all
  select 'pg_proc'::regclass, p.oid, 0 from wanted w join pg_proc p on p.proname = w.name where w.lookup = 'function'
  union all
  select 'pg_namespace'::regclass, to_regnamespace(w.name)::oid, 0 from wanted w where w.lookup = 'schema'
), hanging as (
  select distinct d.classid, d.objid, d.objsubid,
    case d.classid
      when 'pg_class'::regclass then d.objid
      when 'pg_rewrite'::regclass then (select r.ev_class from pg_rewrite r where r.oid = d.objid)
      when 'pg_constraint'::regclass then (select nullif(c.conrelid, 0) from pg_constraint c where c.oid = d.objid)
      when 'pg_attrdef'::regclass then (select t.adrelid from pg_attrdef t where t.oid = d.objid)
      when 'pg_trigger'::regclass then (select t.tgrelid from pg_trigger t where t.oid = d.objid)
      when 'pg_policy'::regclass then (select p.polrelid from pg_policy p where p.oid = d.objid)
    end as relation
  from pg_depend d
  join dropped x on x.classid = d.refclassid and x.objid = d.refobjid and (x.objsubid = 0 or x.objsubid = d.refobjsubid)
  where d.deptype in ('n', 'a')
)
select distinct
  coalesce(n.nspname || '.' || c.relname, pg_describe_object(h.classid, h.objid, h.objsubid)) as relation,
  case when c.relkind in ('v', 'm') and h.classid = 'pg_rewrite'::regclass
    then pg_describe_object('pg_class'::regclass, c.oid, 0)
    else pg_describe_object(h.classid, h.objid, h.objsubid) end as description
from hanging h
left join pg_class c on c.oid = h.relation
left join pg_index i on i.indexrelid = c.oid
left join pg_namespace n on n.oid = c.relnamespace
where not exists (
  select 1
  from dropped x
  where x.classid = 'pg_class'::regclass and x.objid in (h.relation, i.indrelid)
    or x.classid = h.classid and x.objid = h.objid
)
and not (coalesce(c.relkind, 'r') = 'S' and exists (
  select 1
  from pg_depend s
  join dropped x on x.classid = s.refclassid and x.objid = s.refobjid
  where s.classid = 'pg_class'::regclass and s.objid = c.oid and s.deptype in ('a', 'i')
))
order by 1, 2`

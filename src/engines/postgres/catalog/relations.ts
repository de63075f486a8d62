/** Tables, views and sequences, and what tables have. */
import { acl, columnNames, orCompressed } from './scope.ts'

export const tables = `
  select r.oid::bigint as oid, r.nspname as schema, r.relname as name, obj_description(r.oid, 'pg_class') as comment,
    coalesce(r.reloptions, '{}') || case when r.relpersistence = 'u' then array['unlogged=true'] else '{}' end as options,
    r.relrowsecurity as secured, r.relforcerowsecurity as forced,
    case when r.relkind = 'p' then pg_get_partkeydef(r.oid) end as "partitionKey",
    case when r.relispartition then (
      select pn.nspname || '.' || p.relname
      from pg_inherits i
      join pg_class p on p.oid = i.inhparent
      join pg_namespace pn on pn.oid = p.relnamespace
      where i.inhrelid = r.oid
    ) end as parent,
    case when r.relispartition then pg_get_expr(r.relpartbound, r.oid) end as bounds,
    ${acl('r.relacl', 'r', 'r.relowner')}
  from relation r
  where r.relkind in ('r', 'p')`

export const views = `
  select r.oid::bigint as oid, r.nspname as schema, r.relname as name, obj_description(r.oid, 'pg_class') as comment,
    r.relkind = 'm' as materialized, pg_get_viewdef(r.oid) as definition, coalesce(r.reloptions, '{}') as options,
    ${acl('r.relacl', 'r', 'r.relowner')}
  from relation r
  where r.relkind in ('v', 'm')`

/** In the order of the table, which carries meaning. */
export const columns = `
  select a.attrelid::bigint as "table", a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
    pg_get_expr(d.adbin, d.adrelid) as expression, a.attgenerated as generated, a.attidentity as identity,
    col_description(a.attrelid, a.attnum) as comment,
    case when a.attcollation <> t.typcollation then (
      select case when cn.nspname = 'pg_catalog' then '' else quote_ident(cn.nspname) || '.' end || quote_ident(c.collname)
      from pg_collation c
      join pg_namespace cn on cn.oid = c.collnamespace
      where c.oid = a.attcollation
    ) end as collation,
    a.attstorage <> t.typstorage and r.relkind <> 'v' or a.attstattarget >= 0 or a.attoptions is not null or d.oid is not null and r.relkind = 'v'
      ${orCompressed} as odd,
    case when a.attacl is not null then ${acl('a.attacl', 'c', 'r.relowner').replace(/ as acl$/, '')} end as acl
  from relation r
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where r.relkind <> 'S'
  order by a.attrelid, a.attnum`

/**
 * A row as JSON tells of columns that an older server's catalog lacks, and is dear, so only kinds that can have them are asked.
 * Not-null constraints are a property of the column. Copies of a foreign key or check that a partition has from its parent are left out; its
 * keys stay, since a partition without a key would look like a table without one.
 */
export const constraints = `
  select c.conrelid::bigint as "table", c.conname as name, c.contype as kind, pg_get_constraintdef(c.oid) as definition,
    ${columnNames('c.conrelid', 'c.conkey')} as columns,
    c.convalidated as validated, c.condeferrable as deferrable, c.condeferred as deferred,
    case when c.contype in ('c', 'f') then coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) else true end as enforced,
    c.contype = 'f' and coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false) as period, c.confmatchtype as match,
    case when c.confdeltype in ('n', 'd') then ${columnNames('c.conrelid', "(select array_agg(v::int2) from jsonb_array_elements_text(nullif(to_jsonb(c) -> 'confdelsetcols', 'null')) v)")} else '[]' end as "onDeleteColumns",
    coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as "nullsNotDistinct",
    ${columnNames('c.conrelid', '(i.indkey::int2[])[i.indnkeyatts : i.indnatts - 1]')} as included,
    fn.nspname || '.' || f.relname as references, ${columnNames('c.confrelid', 'c.confkey')} as "referencedColumns",
    c.confdeltype as "onDelete", c.confupdtype as "onUpdate"
  from pg_constraint c
  join stored s on s.oid = c.conrelid
  left join pg_index i on i.indexrelid = c.conindid and c.contype in ('p', 'u')
  left join pg_class f on f.oid = c.confrelid
  left join pg_namespace fn on fn.oid = f.relnamespace
  where c.contype in ('p', 'u', 'x') or (c.contype = 'f' and c.conparentid = 0) or (c.contype = 'c' and c.conislocal)`

export const indexes = `
  select i.indrelid::bigint as "table", x.relname as name, pg_get_indexdef(i.indexrelid) as definition, i.indisunique as "unique",
    i.indisvalid as valid, pg_get_expr(i.indpred, i.indrelid) as predicate,
    (
      select json_agg(coalesce(a.attname, pg_get_indexdef(i.indexrelid, k.position::int, false)) order by k.position)
      from unnest((i.indkey::int2[])[0 : i.indnkeyatts - 1]) with ordinality k (attnum, position)
      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum and k.attnum <> 0
    ) as columns,
    exists (
      select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u', 'x')
    ) as "constraint"
  from pg_index i
  join stored s on s.oid = i.indrelid
  join pg_class x on x.oid = i.indexrelid`

/** Triggers that the server clones onto partitions belong to the parent. */
export const triggers = `
  select t.tgrelid::bigint as "table", t.tgname as name, pg_get_triggerdef(t.oid) as definition, t.tgenabled <> 'D' as enabled
  from pg_trigger t
  join stored s on s.oid = t.tgrelid
  where not t.tgisinternal and t.tgparentid = 0`

export const policies = `
  select p.polrelid::bigint as "table", p.polname as name, p.polcmd as command, p.polpermissive as permissive,
    (
      select json_agg(coalesce(u.rolname, 'public'))
      from unnest(p.polroles) m (oid)
      left join pg_roles u on u.oid = m.oid
    ) as roles,
    pg_get_expr(p.polqual, p.polrelid) as "using", pg_get_expr(p.polwithcheck, p.polrelid) as "withCheck"
  from pg_policy p
  join stored s on s.oid = p.polrelid`

/** The sequence of an identity column is part of the column. */
export const sequences = `
  select r.nspname as schema, r.relname as name, obj_description(r.oid, 'pg_class') as comment,
    format('as %s start %s increment %s minvalue %s maxvalue %s cache %s%s', format_type(q.seqtypid, null), q.seqstart, q.seqincrement,
      q.seqmin, q.seqmax, q.seqcache, case when q.seqcycle then ' cycle' else '' end) as definition,
    (
      select tn.nspname || '.' || t.relname || '.' || a.attname
      from pg_class t
      join pg_namespace tn on tn.oid = t.relnamespace
      join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
      where t.oid = d.refobjid
    ) as "ownedBy",
    ${acl('r.relacl', 's', 'r.relowner')}
  from relation r
  join pg_sequence q on q.seqrelid = r.oid
  left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
    and d.deptype in ('a', 'i')
  where d.deptype is distinct from 'i'`

/**
 * The questions that introspection asks PostgreSQL's catalog, all in one statement: one snapshot, one round trip. Works on 15 to 18;
 * columns of newer catalogs are read through JSON.
 */

import type { Comment } from '../../schema/model.ts'

/** Answers one row with a JSON list for each name of `CatalogRows`. `$1` is a list of schemas, or null for all of the user's own. */
export function catalogQuery(): string {
  const lists = Object.entries(parts).map(
    ([name, query]) => `(select coalesce(json_agg(r), '[]') from (${query}) r) as ${name}`,
  )
  return `${shared}\nselect ${lists.join(',\n')}`
}

export interface CatalogRows {
  readonly namespaces: readonly (Commented & { readonly name: string; readonly acl: Acl })[]
  readonly extensions: readonly { readonly name: string }[]
  readonly tables: readonly TableRow[]
  readonly views: readonly (Named & {
    readonly oid: number
    readonly materialized: boolean
    readonly definition: string
    readonly options: readonly string[]
    readonly acl: Acl
  })[]
  readonly columns: readonly ColumnRow[]
  readonly constraints: readonly ConstraintRow[]
  readonly indexes: readonly IndexRow[]
  readonly triggers: readonly {
    readonly table: number
    readonly name: string
    readonly definition: string
    readonly enabled: boolean
  }[]
  readonly policies: readonly PolicyRow[]
  readonly enums: readonly (Named & { readonly values: readonly string[] })[]
  readonly domains: readonly (Named & { readonly type: string; readonly definition: string })[]
  readonly routines: readonly RoutineRow[]
  readonly sequences: readonly (Named & {
    readonly definition: string
    readonly ownedBy: string | null
    readonly acl: Acl
  })[]
  readonly comments: readonly Comment[]
  readonly owners: readonly { readonly object: string; readonly schema: string; readonly role: string }[]
  readonly database: readonly { readonly owner: string }[]
  readonly defaults: readonly {
    readonly role: string
    readonly schema: string | null
    readonly kind: string
    readonly acl: Acl
  }[]
}

interface Commented {
  readonly comment: string | null
}

interface Named extends Commented {
  readonly schema: string
  readonly name: string
}

/** One entry a privilege of a role; the owner's own are left out, since owners differ between servers. */
export type Acl = readonly { readonly role: string; readonly privilege: string }[] | null

export interface TableRow extends Named {
  readonly oid: number
  readonly options: readonly string[]
  readonly secured: boolean
  readonly forced: boolean
  readonly partitionKey: string | null
  readonly parent: string | null
  readonly bounds: string | null
  readonly acl: Acl
}

export interface ColumnRow extends Commented {
  readonly table: number
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly expression: string | null
  readonly generated: string
  readonly identity: string
  readonly collation: string | null
  readonly acl: Acl
}

export interface ConstraintRow {
  readonly table: number
  readonly name: string
  readonly kind: 'p' | 'u' | 'f' | 'c' | 'x'
  readonly columns: readonly string[]
  readonly definition: string
  readonly validated: boolean
  readonly deferrable: boolean
  readonly deferred: boolean
  readonly nullsNotDistinct: boolean | null
  readonly included: readonly string[]
  readonly references: string | null
  readonly referencedColumns: readonly string[]
  readonly onDelete: string
  readonly onUpdate: string
}

export interface IndexRow {
  readonly table: number
  readonly name: string
  readonly definition: string
  readonly columns: readonly string[]
  readonly unique: boolean
  readonly valid: boolean
  readonly predicate: string | null
  readonly constraint: boolean
}

export interface PolicyRow {
  readonly table: number
  readonly name: string
  readonly command: string
  readonly permissive: boolean
  readonly roles: readonly string[]
  readonly using: string | null
  readonly withCheck: string | null
}

export interface RoutineRow extends Named {
  readonly arguments: string
  readonly kind: string
  readonly definition: string
  readonly securityDefiner: boolean
  readonly acl: Acl
}

/** Schemas of the user, and objects that an extension brought along. */
const shared = `
with namespace as materialized (
  select n.oid, n.nspname, n.nspowner, n.nspacl
  from pg_namespace n
  where case
    when $1::text[] is null then n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'plinth', 'plinth_archive')
    else n.nspname = any ($1::text[])
  end
  and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
), relation as materialized (
  select c.*, n.nspname
  from pg_class c
  join namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'S') and c.relpersistence <> 't'
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), stored as materialized (
  select r.oid from relation r where r.relkind in ('r', 'p')
)`

/** A list of role and privilege; `public` stands for everybody. */
function acl(list: string, kind: string, owner: string): string {
  return `(
    select json_agg(json_build_object(
      'role', case when a.grantee = 0 then 'public' else u.rolname end,
      'privilege', lower(a.privilege_type) || case when a.is_grantable then ' with grant option' else '' end))
    from aclexplode(coalesce(${list}, acldefault('${kind}', ${owner}))) a
    left join pg_roles u on u.oid = a.grantee
    where a.grantee <> ${owner} and (a.grantee = 0 or u.oid is not null)
  ) as acl`
}

/** Names of the columns that a smallint array lists, in its order. */
function columnNames(table: string, numbers: string): string {
  return `coalesce((
    select json_agg(a.attname order by k.position)
    from unnest(${numbers}) with ordinality k (attnum, position)
    join pg_attribute a on a.attrelid = ${table} and a.attnum = k.attnum
  ), '[]')`
}

const namespaces = `
  select n.nspname as name, obj_description(n.oid, 'pg_namespace') as comment, ${acl('n.nspacl', 'n', 'n.nspowner')}
  from namespace n`

/** plpgsql is in every database. */
const extensions = `select e.extname as name from pg_extension e where e.extname <> 'plpgsql'`

const tables = `
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

const views = `
  select r.oid::bigint as oid, r.nspname as schema, r.relname as name, obj_description(r.oid, 'pg_class') as comment,
    r.relkind = 'm' as materialized, pg_get_viewdef(r.oid) as definition, coalesce(r.reloptions, '{}') as options,
    ${acl('r.relacl', 'r', 'r.relowner')}
  from relation r
  where r.relkind in ('v', 'm')`

/** In the order of the table, which carries meaning. */
const columns = `
  select a.attrelid::bigint as "table", a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
    pg_get_expr(d.adbin, d.adrelid) as expression, a.attgenerated as generated, a.attidentity as identity,
    col_description(a.attrelid, a.attnum) as comment,
    case when a.attcollation <> t.typcollation then (
      select case when cn.nspname = 'pg_catalog' then '' else quote_ident(cn.nspname) || '.' end || quote_ident(c.collname)
      from pg_collation c
      join pg_namespace cn on cn.oid = c.collnamespace
      where c.oid = a.attcollation
    ) end as collation,
    case when a.attacl is not null then ${acl('a.attacl', 'c', 'r.relowner').replace(/ as acl$/, '')} end as acl
  from relation r
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where r.relkind <> 'S'
  order by a.attrelid, a.attnum`

/**
 * Not-null constraints are a property of the column. Copies of a foreign key or check that a partition has from its parent are left out; its
 * keys stay, since a partition without a key would look like a table without one.
 */
const constraints = `
  select c.conrelid::bigint as "table", c.conname as name, c.contype as kind, pg_get_constraintdef(c.oid) as definition,
    ${columnNames('c.conrelid', 'c.conkey')} as columns,
    c.convalidated as validated, c.condeferrable as deferrable, c.condeferred as deferred,
    i.indnullsnotdistinct as "nullsNotDistinct",
    ${columnNames('c.conrelid', '(i.indkey::int2[])[i.indnkeyatts : i.indnatts - 1]')} as included,
    fn.nspname || '.' || f.relname as references, ${columnNames('c.confrelid', 'c.confkey')} as "referencedColumns",
    c.confdeltype as "onDelete", c.confupdtype as "onUpdate"
  from pg_constraint c
  join stored s on s.oid = c.conrelid
  left join pg_index i on i.indexrelid = c.conindid and c.contype in ('p', 'u')
  left join pg_class f on f.oid = c.confrelid
  left join pg_namespace fn on fn.oid = f.relnamespace
  where c.contype in ('p', 'u', 'x') or (c.contype = 'f' and c.conparentid = 0) or (c.contype = 'c' and c.conislocal)`

const indexes = `
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
const triggers = `
  select t.tgrelid::bigint as "table", t.tgname as name, pg_get_triggerdef(t.oid) as definition, t.tgenabled <> 'D' as enabled
  from pg_trigger t
  join stored s on s.oid = t.tgrelid
  where not t.tgisinternal and t.tgparentid = 0`

const policies = `
  select p.polrelid::bigint as "table", p.polname as name, p.polcmd as command, p.polpermissive as permissive,
    (
      select json_agg(coalesce(u.rolname, 'public'))
      from unnest(p.polroles) m (oid)
      left join pg_roles u on u.oid = m.oid
    ) as roles,
    pg_get_expr(p.polqual, p.polrelid) as "using", pg_get_expr(p.polwithcheck, p.polrelid) as "withCheck"
  from pg_policy p
  join stored s on s.oid = p.polrelid`

const ownType = `
  join namespace n on n.oid = t.typnamespace
  where not exists (select from pg_depend x where x.classid = 'pg_type'::regclass and x.objid = t.oid and x.deptype = 'e')`

const enums = `
  select n.nspname as schema, t.typname as name, obj_description(t.oid, 'pg_type') as comment,
    (select coalesce(json_agg(e.enumlabel order by e.enumsortorder), '[]') from pg_enum e where e.enumtypid = t.oid) as values
  from pg_type t ${ownType} and t.typtype = 'e'`

const domains = `
  select n.nspname as schema, t.typname as name, obj_description(t.oid, 'pg_type') as comment,
    format_type(t.typbasetype, t.typtypmod) as type,
    concat_ws(' ', 'default ' || t.typdefault, case when t.typnotnull then 'not null' end, (
      select string_agg(format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' order by c.conname)
      from pg_constraint c
      where c.contypid = t.oid and c.contype = 'c'
    )) as definition
  from pg_type t ${ownType} and t.typtype = 'd'`

const routines = `
  select n.nspname as schema, p.proname as name, obj_description(p.oid, 'pg_proc') as comment,
    pg_get_function_identity_arguments(p.oid) as arguments, p.prokind as kind, p.prosecdef as "securityDefiner",
    case when p.prokind <> 'a' then pg_get_functiondef(p.oid) else (
      select format('sfunc %s stype %s', a.aggtransfn, format_type(a.aggtranstype, null))
        || case when a.aggfinalfn <> 0 then format(' finalfunc %s', a.aggfinalfn) else '' end
        || coalesce(format(' initcond %L', a.agginitval), '')
      from pg_aggregate a
      where a.aggfnoid = p.oid
    ) end as definition,
    ${acl('p.proacl', 'f', 'p.proowner')}
  from pg_proc p
  join namespace n on n.oid = p.pronamespace
  where not exists (select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype = 'e')`

/** The sequence of an identity column is part of the column. */
const sequences = `
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

/** Named as the differences name them. Of a partition's copy of a constraint the parent speaks. */
const comments = `
  select 'index ' || n.nspname || '.' || x.relname as object, format('index %I.%I', n.nspname, x.relname) as target,
    r.nspname || '.' || r.relname as "table", x.relname as name, d.description as text
  from pg_description d
  join pg_class x on x.oid = d.objoid and x.relkind in ('i', 'I')
  join pg_namespace n on n.oid = x.relnamespace
  join pg_index i on i.indexrelid = x.oid
  join relation r on r.oid = i.indrelid
  where d.classoid = 'pg_class'::regclass
  union all
  select case c.contype when 'p' then 'primary key ' when 'u' then 'unique key ' when 'f' then 'foreign key ' when 'c' then 'check ' else 'exclusion ' end
      || r.nspname || '.' || r.relname || '.' || c.conname,
    format('constraint %I on %I.%I', c.conname, r.nspname, r.relname), r.nspname || '.' || r.relname, c.conname, d.description
  from pg_description d
  join pg_constraint c on c.oid = d.objoid and c.contype in ('p', 'u', 'f', 'c', 'x')
  join relation r on r.oid = c.conrelid
  where d.classoid = 'pg_constraint'::regclass
  union all
  select 'trigger ' || r.nspname || '.' || r.relname || '.' || t.tgname, format('trigger %I on %I.%I', t.tgname, r.nspname, r.relname),
    r.nspname || '.' || r.relname, t.tgname, d.description
  from pg_description d
  join pg_trigger t on t.oid = d.objoid
  join relation r on r.oid = t.tgrelid
  where d.classoid = 'pg_trigger'::regclass
  union all
  select 'policy ' || r.nspname || '.' || r.relname || '.' || p.polname, format('policy %I on %I.%I', p.polname, r.nspname, r.relname),
    r.nspname || '.' || r.relname, p.polname, d.description
  from pg_description d
  join pg_policy p on p.oid = d.objoid
  join relation r on r.oid = p.polrelid
  where d.classoid = 'pg_policy'::regclass
  union all
  select 'sequence ' || r.nspname || '.' || r.relname, format('sequence %I.%I', r.nspname, r.relname), null, r.relname, d.description
  from pg_description d
  join relation r on r.oid = d.objoid and r.relkind = 'S'
  where d.classoid = 'pg_class'::regclass`

/** The schema public is the database owner's everywhere. */
const owners = `
  select 'schema ' || n.nspname as object, n.nspname as schema, pg_get_userbyid(n.nspowner) as role
  from namespace n
  where n.nspname <> 'public'
  union all
  select case r.relkind when 'S' then 'sequence ' when 'v' then 'view ' when 'm' then 'view ' else 'table ' end || r.nspname || '.' || r.relname,
    r.nspname, pg_get_userbyid(r.relowner)
  from relation r
  where r.relkind <> 'S' or not exists (
    select from pg_depend d
    where d.classid = 'pg_class'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
  )
  union all
  select case t.typtype when 'e' then 'enum ' else 'domain ' end || n.nspname || '.' || t.typname, n.nspname, pg_get_userbyid(t.typowner)
  from pg_type t ${ownType} and t.typtype in ('e', 'd')
  union all
  select 'routine ' || n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', n.nspname, pg_get_userbyid(p.proowner)
  from pg_proc p
  join namespace n on n.oid = p.pronamespace
  where not exists (select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype = 'e')`

const database = `select pg_get_userbyid(d.datdba) as owner from pg_database d where d.datname = current_database()`

const defaults = `
  select pg_get_userbyid(d.defaclrole) as role, n.nspname as schema,
    case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas'
      else 'large objects' end as kind,
    ${acl('d.defaclacl', 'r', 'd.defaclrole')}
  from pg_default_acl d
  left join namespace n on n.oid = d.defaclnamespace
  where d.defaclnamespace = 0 or n.oid is not null`

const parts: Readonly<Record<keyof CatalogRows, string>> = {
  namespaces,
  extensions,
  tables,
  views,
  columns,
  constraints,
  indexes,
  triggers,
  policies,
  enums,
  domains,
  routines,
  sequences,
  comments,
  owners,
  database,
  defaults,
}

/** What is said about objects: comments, owners, and rights that new ones have. */
import { acl, ifRoutines, ownType } from './scope.ts'

/** Named as the differences name them. Of a partition's copy of a constraint the parent speaks. */
export const comments = `
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

/** The schema public is the database owner's everywhere, and what makes values of a range type is the server's own. */
export const owners = `
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
  where not exists (select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype in ('e', 'i')) ${ifRoutines}`

export const database = `select pg_get_userbyid(d.datdba) as owner from pg_database d where d.datname = current_database()`

export const defaults = `
  select pg_get_userbyid(d.defaclrole) as role, n.nspname as schema,
    case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas'
      else 'large objects' end as kind,
    ${acl('d.defaclacl', 'r', 'd.defaclrole')}
  from pg_default_acl d
  left join namespace n on n.oid = d.defaclnamespace
  where d.defaclnamespace = 0 or n.oid is not null`

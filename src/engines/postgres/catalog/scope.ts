/** What all questions to the catalog share: whose objects are told, and how lists of rights and of columns are read. */

/** Places in the texts below, for those who want a part. */
export const amongRelations = '/* among relations */'
export const ifRoutines = '/* if routines */'
/** Since 14. */
export const orCompressed = '/* or compressed */'

/** Schemas of the user, and objects that an extension brought along. */
export const namespaces = `namespace as materialized (
  select n.oid, n.nspname, n.nspowner, n.nspacl
  from pg_namespace n
  where case
    when $1::text[] is null then n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'plinth', 'plinth_archive')
    else n.nspname = any ($1::text[])
  end
  and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
)`

export const shared = `
with ${namespaces}, relation as materialized (
  select c.*, n.nspname
  from pg_class c
  join namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'S') and c.relpersistence <> 't' ${amongRelations}
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), stored as materialized (
  select r.oid from relation r where r.relkind in ('r', 'p')
)`

/** A list of role and privilege; `public` stands for everybody. */
export function acl(list: string, kind: string, owner: string): string {
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
export function columnNames(table: string, numbers: string): string {
  return `coalesce((
    select json_agg(a.attname order by k.position)
    from unnest(${numbers}) with ordinality k (attnum, position)
    join pg_attribute a on a.attrelid = ${table} and a.attnum = k.attnum
  ), '[]')`
}

export const ownType = `
  join namespace n on n.oid = t.typnamespace
  where not exists (select from pg_depend x where x.classid = 'pg_type'::regclass and x.objid = t.oid and x.deptype = 'e')`

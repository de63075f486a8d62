/**
 * DROP OWNED and REASSIGN OWNED within one database. PostgreSQL's own also take a role's rights to databases, and databases that it owns, which a
 * scratch database shares with those that people work in.
 */
import { type Fields, textOf } from '../../sql/tree.ts'

/** What the roles own here goes, and so do rights that they have here. `roles` are RoleSpec nodes; the text is one line. */
export function dropOwnedHere(roles: readonly Fields[]): string {
  return block(`
    for one in ${owned(roles)} loop
      execute pg_catalog.format('drop %s if exists %s cascade', one.type, one.identity);
    end loop;
    for one in ${policies(roles)} loop
      execute pg_catalog.format(case when one.others is null then 'drop policy %I on %s' else 'alter policy %I on %s to %s' end, one.name, one.relation, one.others);
    end loop;
    for one in ${defaults(roles)} loop
      execute pg_catalog.format('alter default privileges for role %I %s revoke all on %s from %s', one.giver, one.place, one.type, one.taker);
    end loop;
    for one in ${rights(roles)} loop
      execute pg_catalog.format('revoke all on %s %s from %I cascade', one.type, one.identity, one.role);
    end loop;`)
}

/** `roles` and `to` are RoleSpec nodes; the text is one line. */
export function reassignOwnedHere(roles: readonly Fields[], to: Fields): string {
  return block(`
    for one in ${owned(roles)} loop
      execute pg_catalog.format('alter %s %s owner to %I', one.type, one.identity, ${nameOf(to)});
    end loop;`)
}

function block(body: string): string {
  return `do $plinth$ declare one record; begin ${body} end $plinth$`.replaceAll(/\s+/g, ' ')
}

/** As an expression of a name. */
function nameOf(spec: Fields): string {
  const name = textOf(spec, 'rolename')
  return name === '' ? 'current_user' : `'${name.replaceAll("'", "''")}'`
}

/** `r` is the role of a dependency `d` of this database on it. */
const dependencies = (roles: readonly Fields[]): string => `pg_catalog.pg_shdepend d
  join pg_catalog.pg_roles r on r.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    and r.rolname in (${roles.map(nameOf).join(', ')})
  join pg_catalog.pg_database b on b.oid = d.dbid and b.datname = pg_catalog.current_database()`

/** The words for an object are not always those of its statements. */
const word = `case i.type when 'composite type' then 'type' when 'statistics object' then 'statistics' when 'foreign-data wrapper' then 'foreign data wrapper' else i.type end`

const owned = (roles: readonly Fields[]): string => `
  select ${word} as type, i.identity
  from ${dependencies(roles)}
  cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
  where d.deptype = 'o' and i.identity is not null and i.type not in ('default acl', 'large object')`

const rights = (roles: readonly Fields[]): string => `
  select case
      when i.type in ('table', 'view', 'materialized view', 'foreign table', 'sequence') then 'table'
      when i.type in ('function', 'procedure', 'aggregate') then 'routine'
      when i.type = 'server' then 'foreign server'
      when i.type = 'domain' then 'type'
      else ${word}
    end as type, i.identity, r.rolname as role
  from ${dependencies(roles)}
  cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
  where d.deptype = 'a' and i.identity is not null and i.type not in ('default acl', 'large object')`

/** Those that name one of the roles, and which other ones. */
const policies = (roles: readonly Fields[]): string => `
  select p.polname as name, p.polrelid::pg_catalog.regclass as relation, (
      select pg_catalog.string_agg(pg_catalog.quote_ident(o.rolname), ', ')
      from pg_catalog.pg_roles o
      where o.oid = any (p.polroles) and o.rolname not in (${roles.map(nameOf).join(', ')})
    ) as others
  from pg_catalog.pg_policy p
  where exists (select from ${dependencies(roles)} where d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and d.objid = p.oid)`

const defaults = (roles: readonly Fields[]): string => `
  select g.rolname as giver, coalesce('in schema ' || pg_catalog.quote_ident(n.nspname), '') as place,
    case a.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' when 'T' then 'types' else 'schemas' end as type,
    coalesce(pg_catalog.quote_ident(t.rolname), 'public') as taker
  from pg_catalog.pg_default_acl a
  join pg_catalog.pg_roles g on g.oid = a.defaclrole
  left join pg_catalog.pg_namespace n on n.oid = a.defaclnamespace
  cross join lateral pg_catalog.aclexplode(a.defaclacl) x
  left join pg_catalog.pg_roles t on t.oid = x.grantee
  where g.rolname in (${roles.map(nameOf).join(', ')}) and x.grantee <> a.defaclrole or t.rolname in (${roles.map(nameOf).join(', ')}) and x.grantee <> a.defaclrole`

/** Rights on what has no grants of its own in the model: types, wrappers, servers and foreign tables. */
import { notOfExtension, ofDatabase, type Rare, relation, some } from './kind.ts'

/** What was granted beside the owner's own and the usual, and what was taken from the usual. `on` is as GRANT names it. */
const rights = (
  one: Readonly<Record<'object' | 'table' | 'on' | 'acl' | 'kind' | 'owner' | 'from', string>>,
): string => `
  select ${one.object} as object, lower(a.privilege_type) || ' of ' || u.name as property, ${one.table} as "table",
    case when a.had then 'withheld' when a.is_grantable then 'granted with grant option' else 'granted' end as value,
    case when a.had then format('revoke %s on %s from %s', lower(a.privilege_type), ${one.on}, u.spelled)
      else format('grant %s on %s to %s%s', lower(a.privilege_type), ${one.on}, u.spelled, case when a.is_grantable then ' with grant option' end) end as make,
    case when a.had then format('grant %s on %s to %s', lower(a.privilege_type), ${one.on}, u.spelled)
      else format('revoke %s on %s from %s', lower(a.privilege_type), ${one.on}, u.spelled) end as undo,
    8000 as position
  from ${one.from}
  join lateral (
    select i.grantee, i.privilege_type, i.is_grantable, false as had from aclexplode(${one.acl}) i
    where not exists (select from aclexplode(acldefault('${one.kind}', ${one.owner})) o where o.grantee = i.grantee and o.privilege_type = i.privilege_type)
    union all
    select o.grantee, o.privilege_type, false, true from aclexplode(acldefault('${one.kind}', ${one.owner})) o
    where not exists (select from aclexplode(${one.acl}) i where o.grantee = i.grantee and o.privilege_type = i.privilege_type)
  ) a on ${one.acl} is not null and a.grantee <> ${one.owner}
  join lateral (
    select 'public' as name, 'public' as spelled where a.grantee = 0
    union all select r.rolname, quote_ident(r.rolname) from pg_roles r where r.oid = a.grantee
  ) u on true`

/** Rights on an array or a row type are those of what it is made of. */
export const typeRights: Rare = {
  gate: some('pg_type', "x.typacl is not null and x.typtype in ('c', 'd', 'e', 'r')"),
  settings: rights({
    object:
      "case t.typtype when 'e' then 'enum ' when 'd' then 'domain ' else 'type ' end || n.nspname || '.' || t.typname",
    table: 'null',
    on: "format('type %I.%I', n.nspname, t.typname)",
    acl: 't.typacl',
    kind: 'T',
    owner: 't.typowner',
    from: `pg_type t
  join namespace n on n.oid = t.typnamespace and t.typtype in ('c', 'd', 'e', 'r') and ${notOfExtension('pg_type', 't.oid')}`,
  }),
}

export const foreignRights: Rare = {
  gate: `(${some('pg_foreign_server', 'x.srvacl is not null')} or ${some('pg_foreign_data_wrapper', 'x.fdwacl is not null')})`,
  settings: `
  ${rights({
    object: "'server ' || s.srvname",
    table: 'null',
    on: "format('foreign server %I', s.srvname)",
    acl: 's.srvacl',
    kind: 'S',
    owner: 's.srvowner',
    from: `(select * from pg_foreign_server s where ${ofDatabase} and ${notOfExtension('pg_foreign_server', 's.oid')}) s`,
  })}
  union all
  ${rights({
    object: "'foreign data wrapper ' || w.fdwname",
    table: 'null',
    on: "format('foreign data wrapper %I', w.fdwname)",
    acl: 'w.fdwacl',
    kind: 'F',
    owner: 'w.fdwowner',
    from: `(select * from pg_foreign_data_wrapper w where ${ofDatabase} and ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}) w`,
  })}`,
}

export const foreignTableRights: Rare = {
  gate: relation("c.relkind = 'f' and c.relacl is not null"),
  settings: rights({
    object: "'foreign table ' || n.nspname || '.' || c.relname",
    table: "n.nspname || '.' || c.relname",
    on: "format('table %I.%I', n.nspname, c.relname)",
    acl: 'c.relacl',
    kind: 'r',
    owner: 'c.relowner',
    from: `pg_class c
  join namespace n on n.oid = c.relnamespace and c.relkind = 'f' and ${notOfExtension('pg_class', 'c.oid')}`,
  }),
}

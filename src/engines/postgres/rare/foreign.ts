/** Foreign data wrappers, servers, user mappings without their options, and foreign tables. */
import { listed, notOfExtension, ofDatabase, openOptions, type Rare, relation, some } from './kind.ts'
import { collateOf } from './types.ts'

/** Each option as a setting. `object` and `target` are expressions, `from` is what they are of, up to its conditions. */
const options = (one: Readonly<Record<'object' | 'table' | 'target' | 'list' | 'from' | 'where', string>>): string => `
  select ${one.object} as object, 'option ' || o.name as property, ${one.table} as "table", o.value as value,
    format('alter %s options (add %I %L)', ${one.target}, o.name, o.value) as make,
    format('alter %s options (drop %I)', ${one.target}, o.name) as undo, 3000 as position
  from ${one.from}
  cross join lateral (${openOptions.replace('of_options', one.list)}) o
  where ${one.where}`

const wrapper = "format('foreign data wrapper %I', w.fdwname)"

export const wrappers: Rare = {
  gate: some('pg_foreign_data_wrapper'),
  others: `
  select 'foreign data wrapper' as kind, null as schema, w.fdwname as name, null as "table", ${wrapper} as target,
    concat('create ', ${wrapper}, case when w.fdwhandler <> 0 then ' handler ' || w.fdwhandler::regproc end,
      case when w.fdwvalidator <> 0 then ' validator ' || w.fdwvalidator::regproc end) as definition,
    obj_description(w.oid, 'pg_foreign_data_wrapper') as comment, null as owner
  from pg_foreign_data_wrapper w
  where ${ofDatabase} and ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}`,
  settings: options({
    object: "'foreign data wrapper ' || w.fdwname",
    table: 'null',
    target: wrapper,
    list: 'w.fdwoptions',
    from: 'pg_foreign_data_wrapper w',
    where: `${ofDatabase} and ${notOfExtension('pg_foreign_data_wrapper', 'w.oid')}`,
  }),
}

const server = "format('server %I', s.srvname)"

/** A mapping is told by who is mapped: its options are mostly secrets, and not everybody may read them. */
export const servers: Rare = {
  gate: listed('pg_foreign_server'),
  others: `
  select 'server' as kind, null as schema, s.srvname as name, null as "table", ${server} as target,
    concat('create ', ${server}, ' type ' || quote_literal(s.srvtype), ' version ' || quote_literal(s.srvversion), format(' foreign data wrapper %I', w.fdwname))
      as definition,
    obj_description(s.oid, 'pg_foreign_server') as comment, null as owner
  from pg_foreign_server s
  join pg_foreign_data_wrapper w on w.oid = s.srvfdw
  where ${ofDatabase} and ${notOfExtension('pg_foreign_server', 's.oid')}
  union all
  select 'user mapping', null, m.usename || ' on ' || m.srvname, null,
    format('user mapping for %s server %I', case when m.umuser = 0 then 'public' else quote_ident(m.usename) end, m.srvname),
    format('create user mapping for %s server %I', case when m.umuser = 0 then 'public' else quote_ident(m.usename) end, m.srvname), null, null
  from pg_user_mappings m
  where ${ofDatabase}`,
  settings: options({
    object: "'server ' || s.srvname",
    table: 'null',
    target: server,
    list: 's.srvoptions',
    from: 'pg_foreign_server s',
    where: `${ofDatabase} and ${notOfExtension('pg_foreign_server', 's.oid')}`,
  }),
}

const own = `pg_foreign_table f
  join pg_class c on c.oid = f.ftrelid
  join namespace n on n.oid = c.relnamespace`
const object = "'foreign table ' || n.nspname || '.' || c.relname"
const table = "n.nspname || '.' || c.relname"
const target = "format('foreign table %I.%I', n.nspname, c.relname)"
const ours = notOfExtension('pg_class', 'c.oid')

/** Made without columns, which come one by one, so that a column may change without the views on it. */
export const foreignTables: Rare = {
  gate: relation("c.relkind = 'f'"),
  others: `
  select 'foreign table' as kind, n.nspname as schema, ${table} as name, null as "table", ${target} as target,
    format('create %s () server %I', ${target}, s.srvname) as definition, obj_description(c.oid, 'pg_class') as comment,
    pg_get_userbyid(c.relowner) as owner
  from ${own}
  join pg_foreign_server s on s.oid = f.ftserver
  where ${ours}`,
  settings: `
  select ${object} as object, 'column ' || a.attname as property, ${table} as "table", a.told as value,
    format('alter %s add column %I %s', ${target}, a.attname, a.told) as make, format('alter %s drop column %I', ${target}, a.attname) as undo,
    a.attnum as position
  from ${own}
  join lateral (
    select a.attname, a.attnum::int, format_type(a.atttypid, a.atttypmod)
      || coalesce((select ' options (' || string_agg(format('%I %L', o.name, o.value), ', ' order by o.name) || ')' from (${openOptions.replace('of_options', 'a.attfdwoptions')}) o), '')
      || ${collateOf('a')}
      || case a.attgenerated when 's' then format(' generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
        when 'v' then format(' generated always as (%s)', pg_get_expr(d.adbin, d.adrelid))
        else coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') end
      || case when a.attnotnull then ' not null' else '' end as told
    from pg_attribute a
    join pg_type at on at.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  ) a on true
  where ${ours}
  union all
  select ${object}, 'comment of column ' || a.attname, ${table}, d.description,
    format('comment on column %I.%I.%I is %L', n.nspname, c.relname, a.attname, d.description),
    format('comment on column %I.%I.%I is null', n.nspname, c.relname, a.attname), 4000 + a.attnum
  from ${own}
  join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid > 0
  join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
  where ${ours}
  union all
  select ${object}, 'check ' || k.conname, ${table}, pg_get_constraintdef(k.oid),
    format('alter %s add constraint %I %s', ${target}, k.conname, pg_get_constraintdef(k.oid)),
    format('alter %s drop constraint %I', ${target}, k.conname), 5000
  from ${own}
  join pg_constraint k on k.conrelid = c.oid and k.contype = 'c' and k.conislocal
  where ${ours}
  union all
  select ${object}, 'partition of ' || pn.nspname || '.' || p.relname, ${table}, pg_get_expr(c.relpartbound, c.oid),
    format('alter table %I.%I attach partition %I.%I %s', pn.nspname, p.relname, n.nspname, c.relname, pg_get_expr(c.relpartbound, c.oid)),
    format('alter table %I.%I detach partition %I.%I', pn.nspname, p.relname, n.nspname, c.relname), 6000
  from ${own}
  join pg_inherits i on i.inhrelid = c.oid
  join pg_class p on p.oid = i.inhparent
  join pg_namespace pn on pn.oid = p.relnamespace
  where c.relispartition and ${ours}
  union all ${options({ object, table, target, list: 'f.ftoptions', from: own, where: ours })}`,
}

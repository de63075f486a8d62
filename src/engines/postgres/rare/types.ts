/** Composite types, ranges, collations and conversions. */
import { ownType } from '../catalog/scope.ts'
import { listed, notOfExtension, type Rare, relation } from './kind.ts'

/** Made empty, so that what a type and a routine or domain need of each other can come later. */
const compositesFrom = `
  from pg_type t
  join pg_class c on c.oid = t.typrelid and c.relkind = 'c'`

export const composites: Rare = {
  gate: relation("c.relkind = 'c'"),
  others: `
  select 'type' as kind, n.nspname as schema, n.nspname || '.' || t.typname as name, null as "table",
    format('type %I.%I', n.nspname, t.typname) as target, format('create type %I.%I as ()', n.nspname, t.typname) as definition,
    obj_description(t.oid, 'pg_type') as comment, pg_get_userbyid(t.typowner) as owner
  ${compositesFrom} ${ownType}`,
  settings: `
  select 'type ' || n.nspname || '.' || t.typname as object, 'attribute ' || a.attname as property, null as "table", a.told as value,
    format('alter type %I.%I add attribute %I %s', n.nspname, t.typname, a.attname, a.told) as make,
    format('alter type %I.%I drop attribute %I', n.nspname, t.typname, a.attname) as undo, a.attnum as position
  ${compositesFrom}
  join lateral (
    select a.attname, a.attnum::int, format_type(a.atttypid, a.atttypmod) || ${collateOf('a')} as told
    from pg_attribute a
    join pg_type at on at.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  ) a on true ${ownType}
  union all
  select 'type ' || n.nspname || '.' || t.typname, 'comment of attribute ' || a.attname, null, d.description,
    format('comment on column %I.%I.%I is %L', n.nspname, t.typname, a.attname, d.description),
    format('comment on column %I.%I.%I is null', n.nspname, t.typname, a.attname), 2000 + a.attnum
  ${compositesFrom}
  join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid > 0
  join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid ${ownType}`,
}

/** The collation of a column where its type has another one; `at` has to be its type. */
export function collateOf(alias: string): string {
  return `coalesce((select format(' collate %I.%I', ln.nspname, l.collname) from pg_collation l join pg_namespace ln on ln.oid = l.collnamespace
      where l.oid = ${alias}.attcollation and ${alias}.attcollation <> at.typcollation), '')`
}

export function ranges(version: number): Rare {
  const multirange = `(
      select format(', multirange_type_name = %I.%I', n.nspname, m.typname) from pg_type m
      where m.oid = r.rngmultitypid and m.typname <> case when position('range' in t.typname) > 0
        then regexp_replace(t.typname, 'range', 'multirange') else t.typname || '_multirange' end
    )`
  return {
    gate: `exists (select from pg_range x where x.rngtypid >= 16384)`,
    others: `
  select 'type' as kind, n.nspname as schema, n.nspname || '.' || t.typname as name, null as "table",
    format('type %I.%I', n.nspname, t.typname) as target,
    concat(format('create type %I.%I as range (subtype = %s', n.nspname, t.typname, format_type(r.rngsubtype, null)),
      case when not k.opcdefault then format(', subtype_opclass = %I.%I', kn.nspname, k.opcname) end,
      case when r.rngcollation not in (0, s.typcollation) then format(', collation = %s', r.rngcollation::regcollation) end,
      case when r.rngcanonical <> 0 then format(', canonical = %s', r.rngcanonical) end,
      case when r.rngsubdiff <> 0 then format(', subtype_diff = %s', r.rngsubdiff) end,
      ${version >= 14 ? multirange : 'null'}, ')') as definition,
    obj_description(t.oid, 'pg_type') as comment, pg_get_userbyid(t.typowner) as owner
  from pg_range r
  join pg_type t on t.oid = r.rngtypid
  join pg_type s on s.oid = r.rngsubtype
  join pg_opclass k on k.oid = r.rngsubopc
  join pg_namespace kn on kn.oid = k.opcnamespace ${ownType}`,
  }
}

/** Columns that only some versions have are read through JSON. */
export const collations: Rare = {
  gate: listed('pg_collation'),
  others: `
  select 'collation' as kind, n.nspname as schema, n.nspname || '.' || c.collname as name, null as "table",
    format('collation %I.%I', n.nspname, c.collname) as target,
    concat(format('create collation %I.%I (provider = %s', n.nspname, c.collname,
        case c.collprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end),
      case when c.collprovider = 'c' then format(', lc_collate = %L, lc_ctype = %L', c.collcollate, c.collctype)
        else format(', locale = %L', coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate)) end,
      ', rules = ' || quote_literal(nullif(to_jsonb(c) ->> 'collicurules', '')), case when not c.collisdeterministic then ', deterministic = false' end, ')')
      as definition,
    obj_description(c.oid, 'pg_collation') as comment, pg_get_userbyid(c.collowner) as owner
  from pg_collation c
  join namespace n on n.oid = c.collnamespace
  where ${notOfExtension('pg_collation', 'c.oid')}`,
}

export const conversions: Rare = {
  gate: listed('pg_conversion'),
  others: `
  select 'conversion' as kind, n.nspname as schema, n.nspname || '.' || c.conname as name, null as "table",
    format('conversion %I.%I', n.nspname, c.conname) as target,
    format('create %sconversion %I.%I for %L to %L from %s', case when c.condefault then 'default ' end, n.nspname, c.conname,
      pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc) as definition,
    obj_description(c.oid, 'pg_conversion') as comment, pg_get_userbyid(c.conowner) as owner
  from pg_conversion c
  join namespace n on n.oid = c.connamespace
  where ${notOfExtension('pg_conversion', 'c.oid')}`,
}

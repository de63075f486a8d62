/** Publications, and subscriptions without their connections. */
import { notOfExtension, ofDatabase, type Rare, some } from './kind.ts'

const ours = `${ofDatabase} and ${notOfExtension('pg_publication', 'p.oid')}`
const told = (insert: string, update: string, remove: string, truncate: string): string =>
  `concat_ws(', ', case when ${insert} then 'insert' end, case when ${update} then 'update' end, case when ${remove} then 'delete' end, case when ${truncate} then 'truncate' end)`
const usual = 'insert, update, delete, truncate'

export function publications(version: number): Rare {
  const details = `coalesce((select ' (' || string_agg(quote_ident(a.attname), ', ' order by a.attnum) || ')' from pg_attribute a
      where a.attrelid = c.oid and a.attnum = any (l.prattrs)), '') || coalesce(' where (' || pg_get_expr(l.prqual, l.prrelid) || ')', '')`
  const schemas = `
  union all
  select 'publication ' || p.pubname, 'schema ' || n.nspname, null, n.nspname, format('alter publication %I add tables in schema %I', p.pubname, n.nspname),
    format('alter publication %I drop tables in schema %I', p.pubname, n.nspname), 0
  from pg_publication p
  join pg_publication_namespace s on s.pnpubid = p.oid
  join pg_namespace n on n.oid = s.pnnspid
  where ${ours}`
  const generated = `
  union all
  select 'publication ' || p.pubname, 'publish_generated_columns', null, 'stored',
    format('alter publication %I set (publish_generated_columns = stored)', p.pubname),
    format('alter publication %I set (publish_generated_columns = none)', p.pubname), 0
  from pg_publication p
  where p.pubgencols = 's' and ${ours}`
  return {
    gate: some('pg_publication'),
    others: `
  select 'publication' as kind, null as schema, p.pubname as name, null as "table", format('publication %I', p.pubname) as target,
    format('create publication %I%s', p.pubname, case when p.puballtables then ' for all tables' end) as definition,
    obj_description(p.oid, 'pg_publication') as comment, null as owner
  from pg_publication p
  where ${ours}`,
    settings: `
  select 'publication ' || p.pubname as object, 'table ' || n.nspname || '.' || c.relname as property, null as "table",
    n.nspname || '.' || c.relname || t.details as value,
    format('alter publication %I add table only %I.%I%s', p.pubname, n.nspname, c.relname, t.details) as make,
    format('alter publication %I drop table only %I.%I', p.pubname, n.nspname, c.relname) as undo, 0 as position
  from pg_publication p
  join pg_publication_rel l on l.prpubid = p.oid
  join pg_class c on c.oid = l.prrelid
  join pg_namespace n on n.oid = c.relnamespace
  join lateral (select ${version >= 15 ? details : "''"} as details) t on true
  where ${ours} ${version >= 15 ? schemas : ''} ${version >= 18 ? generated : ''}
  union all
  select 'publication ' || p.pubname, 'publish', null, w.words, format('alter publication %I set (publish = %L)', p.pubname, w.words),
    format('alter publication %I set (publish = %L)', p.pubname, '${usual}'), 0
  from pg_publication p
  join lateral (select ${told('p.pubinsert', 'p.pubupdate', 'p.pubdelete', 'p.pubtruncate')} as words) w on w.words <> '${usual}'
  where ${ours}
  union all
  select 'publication ' || p.pubname, 'publish_via_partition_root', null, 'true',
    format('alter publication %I set (publish_via_partition_root = true)', p.pubname),
    format('alter publication %I set (publish_via_partition_root = false)', p.pubname), 0
  from pg_publication p
  where p.pubviaroot and ${ours}`,
  }
}

const here = `s.subdbid = (select d.oid from pg_database d where d.datname = current_database()) and ${ofDatabase}`

/** Only columns that everybody may read. */
export const subscriptions: Rare = {
  gate: `exists (select from pg_subscription s where s.subdbid = (select d.oid from pg_database d where d.datname = current_database()))`,
  others: `
  select 'subscription' as kind, null as schema, s.subname as name, null as "table", format('subscription %I', s.subname) as target, '' as definition,
    null as comment, null as owner
  from pg_subscription s
  where ${here}`,
  settings: `
  select 'subscription ' || s.subname as object, 'publications' as property, null as "table", w.words as value,
    format('alter subscription %I set publication %s with (refresh = false)', s.subname, w.words) as make, '' as undo, 0 as position
  from pg_subscription s
  join lateral (select string_agg(quote_ident(p), ', ' order by p) as words from unnest(s.subpublications) p) w on true
  where ${here}`,
}

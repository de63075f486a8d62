/** Dictionaries and configurations of text search. */
import { listed, notOfExtension, type Rare } from './kind.ts'

export const dictionaries: Rare = {
  gate: listed('pg_ts_dict'),
  others: `
  select 'text search dictionary' as kind, n.nspname as schema, n.nspname || '.' || d.dictname as name, null as "table",
    format('text search dictionary %I.%I', n.nspname, d.dictname) as target,
    format('create text search dictionary %I.%I (template = %I.%I%s)', n.nspname, d.dictname, tn.nspname, t.tmplname, ', ' || d.dictinitoption)
      as definition,
    obj_description(d.oid, 'pg_ts_dict') as comment, pg_get_userbyid(d.dictowner) as owner
  from pg_ts_dict d
  join namespace n on n.oid = d.dictnamespace
  join pg_ts_template t on t.oid = d.dicttemplate
  join pg_namespace tn on tn.oid = t.tmplnamespace
  where ${notOfExtension('pg_ts_dict', 'd.oid')}`,
}

export const configurations: Rare = {
  gate: listed('pg_ts_config'),
  others: `
  select 'text search configuration' as kind, n.nspname as schema, n.nspname || '.' || c.cfgname as name, null as "table",
    format('text search configuration %I.%I', n.nspname, c.cfgname) as target,
    format('create text search configuration %I.%I (parser = %I.%I)', n.nspname, c.cfgname, pn.nspname, p.prsname) as definition,
    obj_description(c.oid, 'pg_ts_config') as comment, pg_get_userbyid(c.cfgowner) as owner
  from pg_ts_config c
  join namespace n on n.oid = c.cfgnamespace
  join pg_ts_parser p on p.oid = c.cfgparser
  join pg_namespace pn on pn.oid = p.prsnamespace
  where ${notOfExtension('pg_ts_config', 'c.oid')}`,
  settings: `
  select 'text search configuration ' || n.nspname || '.' || c.cfgname as object, 'mapping of ' || m.alias as property, null as "table",
    m.dictionaries as value,
    format('alter text search configuration %I.%I add mapping for %I with %s', n.nspname, c.cfgname, m.alias, m.dictionaries) as make,
    format('alter text search configuration %I.%I drop mapping for %I', n.nspname, c.cfgname, m.alias) as undo, m.tokid as position
  from pg_ts_config c
  join namespace n on n.oid = c.cfgnamespace
  join lateral (
    select t.tokid, t.alias, string_agg(m.mapdict::regdictionary::text, ', ' order by m.mapseqno) as dictionaries
    from pg_ts_config_map m
    join ts_token_type(c.cfgparser) t on t.tokid = m.maptokentype
    where m.mapcfg = c.oid
    group by t.tokid, t.alias
  ) m on true
  where ${notOfExtension('pg_ts_config', 'c.oid')}`,
}

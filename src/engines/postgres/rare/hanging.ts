/** What hangs on tables and views and is not told with them: statistics, rules, triggers and indexes of what is no table, and event triggers. */
import { listed, notOfExtension, ofDatabase, type Rare, relation, some } from './kind.ts'

/** `r` is a relation of the user's own. */
const ofUsers = `
  join pg_class r on r.oid = of_relation and r.relpersistence <> 't'
  join namespace n on n.oid = r.relnamespace and ${notOfExtension('pg_class', 'r.oid')}`
const on = (oid: string): string => ofUsers.replace('of_relation', oid)

/** `state` of what fires is not as usual: how ALTER says it. */
const firing = (state: string): string =>
  `case ${state} when 'D' then 'disable' when 'R' then 'enable replica' when 'A' then 'enable always' end`

export const statistics: Rare = {
  gate: listed('pg_statistic_ext'),
  others: `
  select 'statistics' as kind, sn.nspname as schema, sn.nspname || '.' || s.stxname as name, n.nspname || '.' || r.relname as "table",
    format('statistics %I.%I', sn.nspname, s.stxname) as target, pg_get_statisticsobjdef(s.oid) as definition,
    obj_description(s.oid, 'pg_statistic_ext') as comment, pg_get_userbyid(s.stxowner) as owner
  from pg_statistic_ext s
  join pg_namespace sn on sn.oid = s.stxnamespace ${on('s.stxrelid')}`,
  settings: `
  select 'statistics ' || sn.nspname || '.' || s.stxname as object, 'target' as property, n.nspname || '.' || r.relname as "table",
    s.stxstattarget::text as value, format('alter statistics %I.%I set statistics %s', sn.nspname, s.stxname, s.stxstattarget) as make,
    format('alter statistics %I.%I set statistics -1', sn.nspname, s.stxname) as undo, 0 as position
  from pg_statistic_ext s
  join pg_namespace sn on sn.oid = s.stxnamespace ${on('s.stxrelid')}
  where s.stxstattarget >= 0`,
}

/** The rule of a view is the view. */
export const rules: Rare = {
  gate: some('pg_rewrite', "x.rulename <> '_RETURN'"),
  others: `
  select 'rule' as kind, n.nspname as schema, n.nspname || '.' || r.relname || '.' || w.rulename as name, n.nspname || '.' || r.relname as "table",
    format('rule %I on %I.%I', w.rulename, n.nspname, r.relname) as target, rtrim(pg_get_ruledef(w.oid), ';') as definition,
    obj_description(w.oid, 'pg_rewrite') as comment, null as owner
  from pg_rewrite w ${on('w.ev_class')}
  where w.rulename <> '_RETURN'`,
  settings: `
  select 'rule ' || n.nspname || '.' || r.relname || '.' || w.rulename as object, 'firing' as property, n.nspname || '.' || r.relname as "table",
    ${firing('w.ev_enabled')} as value,
    format('alter table %I.%I %s rule %I', n.nspname, r.relname, ${firing('w.ev_enabled')}, w.rulename) as make,
    format('alter table %I.%I enable rule %I', n.nspname, r.relname, w.rulename) as undo, 0 as position
  from pg_rewrite w ${on('w.ev_class')}
  where w.rulename <> '_RETURN' and w.ev_enabled <> 'O'`,
}

const ofViews = "r.relkind in ('v', 'f') and not t.tgisinternal and t.tgparentid = 0"

/** Comments on triggers of views are in the list of all comments. */
export const viewTriggers: Rare = {
  gate: relation("c.relkind in ('v', 'f') and c.relhastriggers"),
  others: `
  select 'trigger' as kind, n.nspname as schema, n.nspname || '.' || r.relname || '.' || t.tgname as name, n.nspname || '.' || r.relname as "table",
    format('trigger %I on %I.%I', t.tgname, n.nspname, r.relname) as target, pg_get_triggerdef(t.oid) as definition,
    case when r.relkind = 'f' then obj_description(t.oid, 'pg_trigger') end as comment, null as owner
  from pg_trigger t ${on('t.tgrelid')}
  where ${ofViews}`,
  settings: firings(`${ofViews} and t.tgenabled <> 'O'`),
}

/** A trigger of a table that is disabled is told with it. */
export const tableTriggers: Rare = {
  gate: some('pg_trigger', "x.tgenabled in ('R', 'A')"),
  settings: firings(
    "r.relkind in ('r', 'p') and not t.tgisinternal and t.tgparentid = 0 and t.tgenabled in ('R', 'A')",
  ),
}

function firings(condition: string): string {
  return `
  select 'trigger ' || n.nspname || '.' || r.relname || '.' || t.tgname as object, 'firing' as property, n.nspname || '.' || r.relname as "table",
    ${firing('t.tgenabled')} as value,
    format('alter table %I.%I %s trigger %I', n.nspname, r.relname, ${firing('t.tgenabled')}, t.tgname) as make,
    format('alter table %I.%I enable trigger %I', n.nspname, r.relname, t.tgname) as undo, 0 as position
  from pg_trigger t ${on('t.tgrelid')}
  where ${condition}`
}

/** Their comments are in the list of all comments. */
export const viewIndexes: Rare = {
  gate: relation("c.relkind = 'm' and c.relhasindex"),
  others: `
  select 'index' as kind, n.nspname as schema, n.nspname || '.' || x.relname as name, n.nspname || '.' || r.relname as "table",
    format('index %I.%I', n.nspname, x.relname) as target, pg_get_indexdef(i.indexrelid) as definition, null as comment, null as owner
  from pg_index i
  join pg_class x on x.oid = i.indexrelid ${on('i.indrelid')}
  where r.relkind = 'm'`,
}

export const eventTriggers: Rare = {
  gate: listed('pg_event_trigger'),
  others: `
  select 'event trigger' as kind, null as schema, e.evtname as name, null as "table", format('event trigger %I', e.evtname) as target,
    format('create event trigger %I on %s%s execute function %s()', e.evtname, e.evtevent,
      (select format(' when tag in (%s)', string_agg(quote_literal(tag), ', ' order by tag)) from unnest(e.evttags) tag having count(*) > 0),
      e.evtfoid::regproc) as definition,
    obj_description(e.oid, 'pg_event_trigger') as comment, null as owner
  from pg_event_trigger e
  where ${ofDatabase} and ${notOfExtension('pg_event_trigger', 'e.oid')}`,
  settings: `
  select 'event trigger ' || e.evtname as object, 'firing' as property, null as "table", ${firing('e.evtenabled')} as value,
    format('alter event trigger %I %s', e.evtname, ${firing('e.evtenabled')}) as make, format('alter event trigger %I enable', e.evtname) as undo,
    0 as position
  from pg_event_trigger e
  where e.evtenabled <> 'O' and ${ofDatabase} and ${notOfExtension('pg_event_trigger', 'e.oid')}`,
}

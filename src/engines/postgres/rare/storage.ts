/** How relations and columns are kept, where it is not as usual. */
import { notOfExtension, type Rare, relation } from './kind.ts'

/** A relation of the user's own, of these kinds. */
const relations = (kinds: string): string => `
  from pg_class c
  join namespace n on n.oid = c.relnamespace and c.relkind in (${kinds}) and c.relpersistence <> 't' and ${notOfExtension('pg_class', 'c.oid')}`
const object = "case when c.relkind = 'm' then 'view ' else 'table ' end || n.nspname || '.' || c.relname"
const table = "n.nspname || '.' || c.relname"
const stored = relations("'r', 'p', 'm'")

/** `make` and `undo` are what stands behind the name of the table. */
const ofTable = (one: Readonly<Record<'property' | 'value' | 'make' | 'undo' | 'from', string>>): string => `
  select ${object} as object, ${one.property} as property, ${table} as "table", ${one.value} as value,
    format('alter table %I.%I ', n.nspname, c.relname) || ${one.make} as make, format('alter table %I.%I ', n.nspname, c.relname) || ${one.undo} as undo,
    0 as position
  ${one.from}`

export const identities: Rare = {
  gate: relation("c.relkind in ('r', 'p', 'm') and c.relreplident in ('f', 'n', 'i')"),
  settings: ofTable({
    property: "'replica identity'",
    value: 'w.words',
    make: "'replica identity ' || w.words",
    undo: "'replica identity default'",
    from: `${stored}
  join lateral (
    select case c.relreplident when 'f' then 'full' when 'n' then 'nothing' when 'i' then (
      select 'using index ' || quote_ident(x.relname) from pg_index i join pg_class x on x.oid = i.indexrelid where i.indrelid = c.oid and i.indisreplident
    ) end as words
  ) w on w.words is not null`,
  }),
}

export const clusters: Rare = {
  gate: 'exists (select from pg_index x where x.indisclustered and x.indrelid >= 16384)',
  settings: ofTable({
    property: "'clustered index'",
    value: 'x.relname',
    make: "format('cluster on %I', x.relname)",
    undo: "'set without cluster'",
    from: `${stored}
  join pg_index i on i.indrelid = c.oid and i.indisclustered
  join pg_class x on x.oid = i.indexrelid`,
  }),
}

/** Heirs that are no partitions. */
export const heirs: Rare = {
  gate: relation("c.relkind = 'r' and c.relhassubclass"),
  settings: ofTable({
    property: "'heir of ' || pn.nspname || '.' || p.relname",
    value: 'i.inhseqno::text',
    make: "format('inherit %I.%I', pn.nspname, p.relname)",
    undo: "format('no inherit %I.%I', pn.nspname, p.relname)",
    from: `${relations("'r'")}
  join pg_inherits i on i.inhrelid = c.oid
  join pg_class p on p.oid = i.inhparent and p.relkind = 'r'
  join pg_namespace pn on pn.oid = p.relnamespace`,
  }),
}

export const typedTables: Rare = {
  gate: relation('c.reloftype <> 0'),
  settings: ofTable({
    property: "'type'",
    value: 'format_type(c.reloftype, null)',
    make: "'of ' || format_type(c.reloftype, null)",
    undo: "'not of'",
    from: `${relations("'r', 'p'")} and c.reloftype <> 0`,
  }),
}

/** Parameters of the table beside it that takes large values. */
export const largeValues: Rare = {
  gate: relation("c.relkind = 't' and c.reloptions is not null"),
  settings: ofTable({
    property: "'toast.' || o.option_name",
    value: 'o.option_value',
    make: "format('set (toast.%I = %L)', o.option_name, o.option_value)",
    undo: "format('reset (toast.%I)', o.option_name)",
    from: `${stored}
  join pg_class t on t.oid = c.reltoastrelid
  cross join lateral pg_options_to_table(t.reloptions) o`,
  }),
}

/** The server's own kind of table is a heap, number 2, whatever the database says for new ones. */
export const accessMethods: Rare = {
  gate: relation("c.relkind in ('r', 'p', 'm') and c.relam not in (0, 2)"),
  settings: ofTable({
    property: "'access method'",
    value: 'm.amname',
    make: "format('set access method %I', m.amname)",
    undo: "'set access method heap'",
    from: `${stored}
  join pg_am m on m.oid = c.relam and m.amname <> 'heap'`,
  }),
}

/** Zero is the tablespace of the database, which is nothing that a migration says. */
export const tablespaces: Rare = {
  gate: relation("c.reltablespace <> 0 and c.relkind in ('r', 'p', 'm', 'i', 'I')"),
  settings: `
  select case c.relkind when 'm' then 'view ' when 'i' then 'index ' when 'I' then 'index ' else 'table ' end || n.nspname || '.' || c.relname as object,
    'tablespace' as property, coalesce((
      select tn.nspname || '.' || t.relname
      from pg_index i
      join pg_class t on t.oid = i.indrelid
      join pg_namespace tn on tn.oid = t.relnamespace
      where i.indexrelid = c.oid
    ), n.nspname || '.' || c.relname) as "table", s.spcname as value,
    format('alter %s %I.%I set tablespace %I', w.word, n.nspname, c.relname, s.spcname) as make,
    format('alter %s %I.%I set tablespace %I', w.word, n.nspname, c.relname, (
      select e.spcname from pg_database d join pg_tablespace e on e.oid = d.dattablespace where d.datname = current_database()
    )) as undo, 0 as position
  ${relations("'r', 'p', 'm', 'i', 'I'")}
  join pg_tablespace s on s.oid = c.reltablespace
  join lateral (select case when c.relkind = 'm' then 'materialized view' when c.relkind in ('i', 'I') then 'index' else 'table' end as word) w on true`,
}

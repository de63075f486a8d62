/** How columns are kept and counted, where it is not as usual, and the numbers of identities. */
import { notOfExtension, type Rare } from './kind.ts'

/** A column of a view has no place of its own among the objects. */
const object = `case c.relkind when 'm' then 'view ' when 'v' then 'view ' when 'f' then 'foreign table ' else 'column ' end
      || n.nspname || '.' || c.relname || case when c.relkind in ('r', 'p') then '.' || a.attname else '' end`
const property = (word: string): string =>
  `'${word}' || case when c.relkind in ('r', 'p') then '' else ' of ' || a.attname end`

const columns = (kinds: string): string => `
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid and c.relkind in (${kinds}) and c.relpersistence <> 't'
  join namespace n on n.oid = c.relnamespace and a.attnum > 0 and not a.attisdropped and ${notOfExtension('pg_class', 'c.oid')}`

/** `make` and `undo` are what stands behind the name of the column. */
const ofColumn = (one: Readonly<Record<'word' | 'value' | 'make' | 'undo' | 'from', string>>): string => `
  select ${object} as object, ${property(one.word)} as property, n.nspname || '.' || c.relname as "table", ${one.value} as value,
    format('alter table %I.%I alter column %I ', n.nspname, c.relname, a.attname) || ${one.make} as make,
    format('alter table %I.%I alter column %I ', n.nspname, c.relname, a.attname) || ${one.undo} as undo, a.attnum::int as position
  ${one.from}`

const word = (letter: string): string =>
  `case ${letter} when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end`

export function columnStorage(version: number): Rare {
  const compression = ofColumn({
    word: 'compression',
    value: "case a.attcompression when 'p' then 'pglz' else 'lz4' end",
    make: "'set compression ' || case a.attcompression when 'p' then 'pglz' else 'lz4' end",
    undo: "'set compression default'",
    from: `${columns("'r', 'p', 'm'")} and a.attcompression <> ''`,
  })
  return {
    gate: null,
    settings: `
  ${ofColumn({
    word: 'storage',
    value: word('a.attstorage'),
    make: `'set storage ' || ${word('a.attstorage')}`,
    undo: `'set storage ' || ${word('t.typstorage')}`,
    from: `${columns("'r', 'p', 'm'")}
  join pg_type t on t.oid = a.atttypid and t.typstorage <> a.attstorage`,
  })}
  union all
  ${ofColumn({
    word: 'statistics',
    value: 'a.attstattarget::text',
    make: "'set statistics ' || a.attstattarget",
    undo: "'set statistics -1'",
    from: `${columns("'r', 'p', 'm', 'f'")} and a.attstattarget >= 0`,
  })}
  union all
  ${ofColumn({
    word: 'options',
    value: "array_to_string(a.attoptions, ', ')",
    make: "format('set (%s)', array_to_string(a.attoptions, ', '))",
    undo: "(select format('reset (%s)', string_agg(o.option_name, ', ')) from pg_options_to_table(a.attoptions) o)",
    from: `${columns("'r', 'p', 'm', 'f'")} and a.attoptions is not null`,
  })}
  ${version >= 14 ? `union all ${compression}` : ''}`,
  }
}

/** Only an expression has statistics of its own. */
export const indexStatistics: Rare = {
  gate: `exists (
    select from pg_index i
    join pg_attribute a on a.attrelid = i.indexrelid
    where i.indexprs is not null and i.indrelid >= 16384 and a.attstattarget >= 0
  )`,
  settings: `
  select 'index ' || n.nspname || '.' || x.relname as object, 'statistics of column ' || a.attnum as property, n.nspname || '.' || c.relname as "table",
    a.attstattarget::text as value,
    format('alter index %I.%I alter column %s set statistics %s', n.nspname, x.relname, a.attnum, a.attstattarget) as make,
    format('alter index %I.%I alter column %s set statistics -1', n.nspname, x.relname, a.attnum) as undo, a.attnum::int as position
  from pg_index i
  join pg_class x on x.oid = i.indexrelid
  join pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p', 'm')
  join namespace n on n.oid = c.relnamespace and ${notOfExtension('pg_class', 'c.oid')}
  join pg_attribute a on a.attrelid = x.oid and a.attstattarget >= 0`,
}

export const viewDefaults: Rare = {
  gate: null,
  settings: ofColumn({
    word: 'default',
    value: 'pg_get_expr(d.adbin, d.adrelid)',
    make: "'set default ' || pg_get_expr(d.adbin, d.adrelid)",
    undo: "'drop default'",
    from: `${columns("'v'")}
  join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum`,
  }),
}

const least = (type: string): string =>
  `case ${type} when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else 9223372036854775807 end`
const odd = (alias: string): string =>
  `(${alias}.seqstart <> 1 or ${alias}.seqincrement <> 1 or ${alias}.seqmin <> 1 or ${alias}.seqcache <> 1 or ${alias}.seqcycle or ${alias}.seqmax <> ${least(`${alias}.seqtypid`)})`
const says = (increment: string, start: string, min: string, max: string, cache: string, cycle: string): string =>
  `format('set increment by %s set minvalue %s set maxvalue %s set start with %s set cache %s set %s', ${increment}, ${min}, ${max}, ${start}, ${cache}, ${cycle})`

export const numbers: Rare = {
  gate: `exists (select from pg_sequence x where x.seqrelid >= 16384 and ${odd('x')})`,
  settings: ofColumn({
    word: 'numbers',
    value:
      "format('increment %s minvalue %s maxvalue %s start %s cache %s', q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache) || case when q.seqcycle then ' cycle' else '' end",
    make: says(
      'q.seqincrement',
      'q.seqstart',
      'q.seqmin',
      'q.seqmax',
      'q.seqcache',
      "case when q.seqcycle then 'cycle' else 'no cycle' end",
    ),
    undo: says("'1'", "'1'", "'1'", least('q.seqtypid'), "'1'", "'no cycle'"),
    from: `${columns("'r', 'p'")}
  join pg_depend o on o.refclassid = 'pg_class'::regclass and o.refobjid = c.oid and o.refobjsubid = a.attnum and o.classid = 'pg_class'::regclass
    and o.deptype = 'i'
  join pg_sequence q on q.seqrelid = o.objid and ${odd('q')}`,
  }),
}

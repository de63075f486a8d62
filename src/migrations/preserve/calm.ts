/** Steps that only add rows to tables without code of their own: they need not be watched. */
import type { Parameterized, Result } from '../../engines/engine.ts'
import type { Statement } from '../../sql/parse.ts'
import { plainInsert } from './effects.ts'
import { namesArray } from './text.ts'

/**
 * What to ask the catalog. Null where a statement is no such insert, since one beside them could change which table a name means, or give it a
 * trigger.
 */
export function addsOnly(
  statements: readonly Statement[],
): { readonly asked: Parameterized; readonly isCalm: (answer: Result | undefined) => boolean } | null {
  const tables = new Set<string>()
  for (const statement of statements) {
    const table = plainInsert(statement)
    if (table === null) return null
    tables.add(table)
  }
  if (tables.size === 0) return null
  return {
    asked: { text: calmTables, values: [namesArray([...tables])], prepared: true },
    isCalm: answer => answer?.rows.length === tables.size,
  }
}

/**
 * Of the named tables those that exist and run nothing when a row is added: no trigger on inserts, no rule or domain, and no default, check or generated
 * column that calls a function of a user's. The server's own functions, which change no rows, leave no dependency.
 */
const calmTables = `
select name as calm
from unnest($1::text[]) name
join pg_catalog.pg_class c on c.oid = to_regclass(name)
where c.relkind = 'r' and not c.relhasrules
  and not exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal and t.tgtype::int & 4 <> 0)
  and not exists (
    select
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and t.typtype = 'd'
  )
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.refclassid = 'pg_catalog.pg_proc'::regclass and (
      d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid in (select oid from pg_catalog.pg_attrdef where adrelid = c.oid)
      or d.classid = 'pg_catalog.pg_constraint'::regclass and d.objid in (select oid from pg_catalog.pg_constraint where conrelid = c.oid)
      or d.classid = 'pg_catalog.pg_class'::regclass and d.objid in (select indexrelid from pg_catalog.pg_index where indrelid = c.oid)
    )
  )`

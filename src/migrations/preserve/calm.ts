/** Steps that only add rows to tables without code of their own: they need not be watched. */
import type { Parameterized, Result } from '../../engines/engine.ts'
import type { Statement } from '../../sql/parse.ts'
import { effectOf, plainChange, plainInsert } from './effects.ts'
import { namesArray } from './text.ts'

/**
 * What to ask the catalog. Null where a statement is no such insert, since one beside them could change which table a name means, or give it a
 * trigger.
 */
export function addsOnly(statements: readonly Statement[]): Omit<Calm, 'moment'> | null {
  const tables = new Set<string>()
  for (const statement of statements) {
    const table = plainInsert(statement)
    if (table === null) return null
    tables.add(table)
  }
  return tables.size === 0 ? null : about(calmTables, [...tables], [])
}

/** Why a step needs no care although it speaks of rows: a question ahead of it or behind it, and whether the answer allows it. */
export interface Calm {
  readonly moment: 'before' | 'after'
  /** The last of them is the question; those ahead of it lock what it asks for. */
  readonly asked: readonly Parameterized[]
  readonly isCalm: (answer: Result | undefined) => boolean
}

/**
 * Of a step that makes things beside, as long as that changes neither which table a name means nor what a table runs: either its inserts
 * fill tables without code of their own, or its updates and deletes find no row. Null for every other step.
 */
export function calmOf(statements: readonly Statement[]): Calm | null {
  const filled = new Set<string>()
  const changed = new Set<string>()
  for (const statement of statements) {
    const table = plainInsert(statement)
    const tables = plainChange(statement)
    if (table !== null) filled.add(table)
    else if (tables) for (const one of tables) changed.add(one)
    else if (!makes.test(statement.kind) || effectOf(statement).kind !== 'none') return null
  }
  if (filled.size > 0)
    return changed.size > 0 || statements.some(({ kind }) => kind === 'AlterTableStmt')
      ? null
      : { moment: 'after', ...about(calmTables, [...filled], []) }
  if (changed.size === 0 || statements.some(({ kind }) => kind === 'CreateTrigStmt')) return null
  // Nobody else fills them meanwhile.
  const locks = [...changed].map(name => ({ text: `lock table ${name} in share row exclusive mode` }))
  return { moment: 'before', ...about(emptyTables, [...changed], locks) }
}

const makes = /^(AlterTable|Comment|CompositeType|Create\w*|Define|Grant|Index|View)Stmt$/

function about(question: string, tables: readonly string[], locks: readonly Parameterized[]): Omit<Calm, 'moment'> {
  return {
    asked: [...locks, { text: question, values: [namesArray(tables)], prepared: true }],
    isCalm: answer => answer?.rows.length === tables.length,
  }
}

/** Of the named tables those that have no row, nobody's rows beside their own, and nothing that runs when none is changed. */
const emptyTables = `
select name as empty
from unnest($1::text[]) name
join pg_catalog.pg_class c on c.oid = to_regclass(name)
where c.relkind = 'r' and not c.relhasrules and not c.relhassubclass and pg_catalog.pg_relation_size(c.oid) = 0
  and not exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal)`

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

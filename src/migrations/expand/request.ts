/** What `plinth new --expand` is asked for, against the catalog that the migrations make. */
import { nearest, PlinthError } from '../../errors.ts'
import type { Column, Schema, Table } from '../../schema/model.ts'

export const expansions = ['rename-column', 'change-type', 'split-column', 'set-not-null'] as const

export type Expansion = (typeof expansions)[number]

export interface ExpandRequest {
  readonly expansion: string
  /** With or without its schema. */
  readonly table: string
  readonly column: string
  /** Name of the new column; of the two new columns of a split, with a comma between. */
  readonly to?: string | undefined
  /** Type of the new column, for `change-type`; of both, for a split, where `text` is the default. */
  readonly type?: string | undefined
  /** The new value, as an expression over the old column; a cast by default. */
  readonly using?: string | undefined
  /** The old value, as an expression over the new column; a cast by default. */
  readonly back?: string | undefined
  /** Between the two parts of a split; a space by default. */
  readonly separator?: string | undefined
  /** What stands in for null, for `set-not-null`; the column's default by default. */
  readonly fill?: string | undefined
  /** How long the old column must have been left alone before contract, in milliseconds; default ten minutes. */
  readonly quietMs?: number | undefined
}

/** The table and column that are meant, by their exact names. */
export interface Subject {
  readonly expansion: Expansion
  readonly table: Table
  readonly column: Column
  readonly quietMs: number
}

/** Pure. Throws USAGE with what is near. */
export function resolveSubject(schema: Schema, request: ExpandRequest): Subject {
  const expansion = expansions.find(one => one === request.expansion)
  if (!expansion) throw usage(`"${request.expansion}" cannot be expanded.`, near(request.expansion, expansions))
  const names = schema.tables.map(table => `${table.schema}.${table.name}`)
  const found = schema.tables.filter(
    table => `${table.schema}.${table.name}` === request.table || table.name === request.table,
  )
  const [table] = found
  if (!table) throw usage(`The migrations make no table ${request.table}.`, near(request.table, names))
  if (found.length > 1)
    throw usage(
      `There are ${found.length} tables ${request.table}.`,
      `Name its schema: ${found.map(one => `${one.schema}.${one.name}`).join(' or ')}.`,
    )
  const column = table.columns.find(one => one.name === request.column)
  const columns = table.columns.map(one => one.name)
  if (!column)
    throw usage(
      `${names.find(name => name.endsWith(table.name)) ?? ''} has no column ${request.column}.`,
      near(request.column, columns),
    )
  return { expansion, table, column, quietMs: request.quietMs ?? 600_000 }
}

/** A name that the table does not have yet. Throws USAGE. */
export function freeName(table: Table, name: string | undefined, what: string): string {
  if (name === undefined || name.trim() === '') throw usage(`${what} needs a name.`, 'Pass --to.')
  const own = name.trim()
  if (table.columns.some(column => column.name === own))
    throw usage(`${table.schema}.${table.name} has a column ${own} already.`, 'Pass another name by --to.')
  return own
}

export function usage(message: string, hint: string): PlinthError {
  return new PlinthError('USAGE', message, { hint })
}

function near(name: string, known: readonly string[]): string {
  const guess = nearest(name, known)
  return guess ? `Did you mean ${guess}?` : `Known are ${known.slice(0, 20).join(', ')}.`
}

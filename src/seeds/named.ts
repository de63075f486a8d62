/** Finds what a table file names: a table and a column of the schema, rows of an earlier file. Every miss suggests the nearest name. */
import { nearest, PlinthError } from '../errors.ts'
import { type Column, qualified, type Schema, type Table } from '../schema/model.ts'
import type { SeedRow } from './datum.ts'
import type { SeedTable } from './load.ts'
import { heldRowsMax, type Source } from './source.ts'

export function rowsOf(
  table: string,
  earlier: readonly Source[],
  file: SeedTable,
  path: readonly PropertyKey[],
): readonly SeedRow[] {
  const found = earlier.filter(source => source.table === table || source.table.split('.')[1] === table)
  if (found.length === 0) {
    const guess = nearest(
      table,
      earlier.map(source => source.table.split('.')[1] ?? source.table),
    )
    throw invalid(
      file,
      path,
      `No earlier file of the package loads a table "${table}".`,
      guess ? `Did you mean "${guess}"?` : 'List its file before this one.',
    )
  }
  if (found.some(source => source.rows === null)) {
    throw invalid(
      file,
      path,
      `"${table}" has more than ${heldRowsMax} generated rows, so none can be picked or referred to.`,
    )
  }
  return found.flatMap(source => source.rows ?? [])
}

export function tableOf(file: SeedTable, schema: Schema): Table {
  const found = schema.tables.find(table => qualified(table) === file.table)
  if (found) return found
  const guess = nearest(file.table, schema.tables.map(qualified))
  throw invalid(
    file,
    ['table'],
    `There is no table ${file.table}.`,
    guess ? `Did you mean "${guess}"?` : 'Apply the migrations first: plinth apply.',
  )
}

export function columnNamed(name: string, target: Table, file: SeedTable, path: readonly PropertyKey[]): Column {
  const found = target.columns.find(column => column.name === name)
  if (found) return found
  const guess = nearest(
    name,
    target.columns.map(column => column.name),
  )
  throw invalid(
    file,
    path,
    `${file.table} has no column "${name}".`,
    guess ? `Did you mean "${guess}"?` : `Its columns: ${target.columns.map(column => column.name).join(', ')}.`,
  )
}

export function invalid(file: SeedTable, path: readonly PropertyKey[], message: string, hint?: string): PlinthError {
  return new PlinthError('SEED_INVALID', message, { at: file.place(path), hint })
}

export function isEach(rows: SeedTable['rows']): rows is Extract<SeedTable['rows'], { each: string }> {
  return typeof rows === 'object' && typeof rows['each'] === 'string'
}

export function isLabelled(file: SeedTable): boolean {
  return typeof file.rows === 'object' && !isEach(file.rows)
}

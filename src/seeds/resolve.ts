/**
 * Holds a package against a schema and turns its tables into rows: columns exist, references point at earlier rows, natural keys are unique.
 * Pure: the same package and schema give the same rows. Values that will be protected are still plain here, inside of `Sealed`.
 */
import type { ClassOf } from '../schema/classification.ts'
import type { Schema, Table } from '../schema/model.ts'
import { checkRow, refuseDuplicates, refuseUnprotected } from './check.ts'
import type { SeedPackage, SeedTable } from './load.ts'
import { columnNamed, invalid, isLabelled, tableOf } from './named.ts'
import { type Variants, variantsOf } from './rows.ts'
import { heldRowsMax, type Source, type SourceColumn } from './source.ts'

/**
 * With `classOf`, a column that the classification wants protected must be protected by the package as well. Throws SEED_INVALID with the file
 * and line.
 */
export function resolvePackage(seedPackage: SeedPackage, schema: Schema, classOf?: ClassOf): Source[] {
  const sources: Source[] = []
  for (const table of seedPackage.tables) {
    const source = resolveTable(table, seedPackage, schema, sources)
    if (classOf) refuseUnprotected(source, table, classOf)
    sources.push(source)
  }
  return sources
}

function resolveTable(file: SeedTable, seedPackage: SeedPackage, schema: Schema, earlier: readonly Source[]): Source {
  const target = tableOf(file, schema)
  const variants = variantsOf(file, seedPackage, target, earlier)
  const columns = columnsOf(file, target, variants)
  const key = file.key.map((name, index) => {
    const column = columns.find(candidate => candidate.name === name)
    if (!column)
      throw invalid(file, ['key', index], `The key column "${name}" is not set by any row.`, 'Set it under columns.')
    if (column.protection === 'encrypted' || column.protection === 'secret') {
      throw invalid(
        file,
        ['key', index],
        `The key column "${name}" is ${column.protection}, so no row can be found by it.`,
        'Use an id or a hashed column as key.',
      )
    }
    return column
  })
  if (file.tenant !== undefined && !columns.some(column => column.name === file.tenant)) {
    throw invalid(
      file,
      ['tenant'],
      `The tenant column "${file.tenant}" is not set by any row.`,
      'Set it under columns.',
    )
  }
  const placeOf: Source['placeOf'] = (row, column) =>
    file.place(
      row && isLabelled(file)
        ? ['rows', row.label, ...(column ? [column] : [])]
        : column
          ? ['columns', column]
          : ['table'],
    )
  const protectedColumns = columns.some(column => column.protection)
  const held = isLabelled(file) || variants.count <= heldRowsMax
  if (!held && protectedColumns) {
    throw invalid(file, ['rows'], `Tables with protected columns have at most ${heldRowsMax} rows.`)
  }
  const rows = held ? Array.from({ length: variants.count }, (_, index) => variants.rowAt(index)) : null
  for (const row of rows ?? [variants.rowAt(0)]) checkRow(row, columns, file, placeOf)
  if (rows) refuseDuplicates(rows, file, placeOf, earlier)
  return {
    table: file.table,
    kind: file.kind,
    file: file.file,
    key,
    columns,
    tenant: file.tenant ?? null,
    count: variants.count,
    rows,
    rowAt: index => rows?.[index] ?? variants.rowAt(index),
    placeOf,
  }
}

/** The columns that rows set: each must be set by all, and be protected in all or in none. */
function columnsOf(file: SeedTable, target: Table, variants: Variants): SourceColumn[] {
  const first = new Map<string, SourceColumn>()
  for (const columns of variants.all) {
    for (const { name, variable, compiled } of columns) {
      if (variable) continue
      const { type, nullable } = columnNamed(name, target, file, ['columns', name])
      const known = first.get(name)
      first.set(name, {
        name,
        type,
        nullable,
        protection: known?.protection ?? compiled.protection,
        identity: (known?.identity ?? false) || compiled.identity,
      })
    }
  }
  for (const columns of variants.all) {
    for (const name of first.keys()) {
      if (columns.some(column => column.name === name)) continue
      const at = columns.find(column => column.path[0] === 'rows')?.path.slice(0, 2) ?? ['rows']
      throw invalid(
        file,
        at,
        `A row does not set the column "${name}", which other rows set.`,
        'Set a default for it under columns.',
      )
    }
  }
  return [...first.values()]
}

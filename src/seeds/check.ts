/** What rows must hold to before they come near a database. */
import { PlinthError } from '../errors.ts'
import type { ClassOf } from '../schema/classification.ts'
import { inputText, keyText, Sealed, SeedRow } from './datum.ts'
import type { SeedTable } from './load.ts'
import { invalid, isLabelled } from './named.ts'
import type { Source, SourceColumn } from './source.ts'

/** What the classification calls encrypted or hashed may not come in plain. */
export function refuseUnprotected(source: Source, file: SeedTable, classOf: ClassOf): void {
  for (const { name, protection } of source.columns) {
    const wanted = classOf(source.table, name)?.protection ?? 'none'
    const given = protection === 'secret' ? 'hashed' : (protection ?? 'none')
    if (wanted === 'none' || wanted === given) continue
    throw invalid(
      file,
      ['columns', name],
      `${source.table}.${name} is classified as ${wanted}, but the package stores it ${given === 'none' ? 'in plain' : given}.`,
      `Write { ${wanted === 'encrypted' ? 'encrypt' : 'hash'}: … }.`,
    )
  }
}

/** Every value fits its column's type, and nothing comes in plain into a protected column. */
export function checkRow(
  row: SeedRow,
  columns: readonly SourceColumn[],
  file: SeedTable,
  placeOf: Source['placeOf'],
): void {
  for (const { name, type, protection } of columns) {
    const value = row.values.get(name) ?? null
    const fits = protection === null ? inputText(value, type) !== undefined : value === null || value instanceof Sealed
    if (fits) continue
    const message =
      value instanceof SeedRow
        ? `"${name}" would hold a whole row; name one of its columns.`
        : protection === null
          ? `"${name}" of ${file.table} is ${type}, which cannot hold this value.`
          : `"${name}" is ${protection} in other rows, but plain here.`
    throw new PlinthError('SEED_INVALID', message, { at: placeOf(row, name) })
  }
}

export function refuseDuplicates(
  rows: readonly SeedRow[],
  file: SeedTable,
  placeOf: Source['placeOf'],
  earlier: readonly Source[],
): void {
  const keyOf = (row: SeedRow): string => JSON.stringify(file.key.map(name => keyText(row.values.get(name) ?? null)))
  const seen = new Map<string, string>()
  const labels = new Set<string>()
  for (const source of earlier.filter(source => source.table === file.table)) {
    for (const row of source.rows ?? []) {
      labels.add(row.label)
      seen.set(keyOf(row), row.label)
    }
  }
  for (const row of rows) {
    const twin = seen.get(keyOf(row))
    if (twin !== undefined) {
      throw new PlinthError(
        'SEED_INVALID',
        `The rows "${twin}" and "${row.label}" of ${file.table} have the same natural key (${file.key.join(', ')}).`,
        {
          at: placeOf(row),
          hint: 'Remove one of them, or give it another key.',
        },
      )
    }
    if (labels.has(row.label) && isLabelled(file)) {
      throw new PlinthError('SEED_INVALID', `The label "${row.label}" of ${file.table} is used in an earlier file.`, {
        at: placeOf(row),
        hint: 'Give the row another label.',
      })
    }
    seen.set(keyOf(row), row.label)
    labels.add(row.label)
  }
}

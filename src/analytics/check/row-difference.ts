/** Two sets of rows without an order, held against each other row by row. Pure. */

type TextRow = Readonly<Record<string, string | null>>

/** A row that lacks, one too many, or one that is there with other values. */
export interface RowDifference {
  readonly kind: 'missing' | 'extra' | 'changed'
  /** Null for an extra row. */
  readonly expected: TextRow | null
  /** Null for a missing row. */
  readonly found: TextRow | null
  /** Columns whose values differ; all for a row that has no counterpart. */
  readonly columns: readonly string[]
}

/** Rows that are equal in all columns cancel out; what is left is paired by the number of equal values. */
export function compareRows(
  expected: readonly TextRow[],
  found: readonly TextRow[],
  columns: readonly string[],
): RowDifference[] {
  const key = (row: TextRow) => JSON.stringify(columns.map(column => row[column] ?? null))
  const counts = new Map<string, number>()
  for (const row of found) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1)
  const missing = expected.filter(row => !take(counts, key(row)))
  const extra = found.filter(row => take(counts, key(row)))
  const differences: RowDifference[] = []
  for (const row of missing) {
    const best = nearestRow(row, extra, columns)
    if (best === undefined) differences.push({ kind: 'missing', expected: row, found: null, columns })
    else {
      const [other] = extra.splice(best, 1)
      const differing = columns.filter(column => row[column] !== other?.[column])
      differences.push({ kind: 'changed', expected: row, found: other ?? null, columns: differing })
    }
  }
  return [
    ...differences,
    ...extra.map((row): RowDifference => ({ kind: 'extra', expected: null, found: row, columns })),
  ]
}

function take(counts: Map<string, number>, key: string): boolean {
  const left = counts.get(key) ?? 0
  if (left > 0) counts.set(key, left - 1)
  return left > 0
}

/** The row with the most equal values; none when less than half of them are. */
function nearestRow(row: TextRow, rows: readonly TextRow[], columns: readonly string[]): number | undefined {
  let best: number | undefined
  let most = columns.length / 2 - 0.5
  for (const [index, other] of rows.entries()) {
    const equal = columns.filter(column => row[column] === other[column]).length
    if (equal > most) {
      most = equal
      best = index
    }
  }
  return best
}

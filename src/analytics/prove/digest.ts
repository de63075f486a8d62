/** Comparing cells of source and warehouse by count, sums and an order-independent hash. */
import type { Row, Session } from '../../engines/engine.ts'
import { rowHashes, summedColumns } from './canonical.ts'
import type { CellDigest } from '../run/capture.ts'
import { spellingOf } from '../run/cells.ts'
import type { CapturedSource } from '../project/project.ts'

export type DifferenceKind = 'missing' | 'extra' | 'value'

/** A cell of a table that is not what it should be. Places and counts alone: evidence never holds rows. */
export interface Difference {
  readonly table: string
  /** Start of the hour, or the day. */
  readonly bucket: string
  readonly shard: number
  readonly kind: DifferenceKind
  readonly expectedRows: number
  readonly foundRows: number
}

export function kindOf(expectedRows: number, foundRows: number): DifferenceKind {
  if (expectedRows === foundRows) return 'value'
  return expectedRows > foundRows ? 'missing' : 'extra'
}

/** What the raw table holds in the cells that `condition`, on the alias `raw`, lets through. */
export async function warehouseDigests(
  session: Session,
  source: CapturedSource,
  condition: string,
): Promise<CellDigest[]> {
  const { rows } = await session.query<DigestRow>(digestQuery(session, source, condition))
  return rows.map(row => ({
    hour: row.bucket_hour,
    shard: Number(row.shard),
    rows: row.row_count,
    hash: `${row.hash_high}/${row.hash_low}`,
    sums: summedColumns(source.columns).map((_, index) => (row[`sum_${index}`] as string | null) ?? '0'),
  }))
}

/** Answers `bucket_hour`, `shard`, `row_count`, `hash_high`, `hash_low` and `sum_0…` for each cell of the raw table. */
export function digestQuery(session: Session, source: CapturedSource, condition: string): string {
  const [high, low] = rowHashes(source.columns, 'bigquery', 'raw')
  const sums = summedColumns(source.columns).map(
    ({ name }, index) => `,\n  coalesce(sum(raw.${name}), 0) as sum_${index}`,
  )
  return `select raw.bucket_hour as bucket_hour, raw.shard as shard, count(*) as row_count,
  sum(${high}) as hash_high,
  sum(${low}) as hash_low${sums.join('')}
from ${spellingOf(session).relation(source.schema, source.identifier)} as raw
where ${condition}
group by 1, 2`
}

interface DigestRow extends Row {
  readonly bucket_hour: string
  readonly shard: string
  readonly row_count: string
  readonly hash_high: string
  readonly hash_low: string
}

/** Cells whose digests differ, by time and shard. */
export function compareDigests(
  table: string,
  expected: readonly CellDigest[],
  found: readonly CellDigest[],
): Difference[] {
  const rest = new Map(found.map(cell => [keyOf(cell), cell]))
  const differences: Difference[] = []
  for (const cell of expected) {
    const other = rest.get(keyOf(cell))
    rest.delete(keyOf(cell))
    if (!other || !equalDigests(cell, other))
      differences.push(differenceOf(table, cell, Number(cell.rows), Number(other?.rows ?? 0)))
  }
  for (const cell of rest.values()) differences.push(differenceOf(table, cell, 0, Number(cell.rows)))
  return differences.sort((a, b) => (a.bucket === b.bucket ? a.shard - b.shard : a.bucket < b.bucket ? -1 : 1))
}

export function keyOf(cell: { readonly hour: string; readonly shard: number }): string {
  return `${cell.hour}/${cell.shard}`
}

function equalDigests(a: CellDigest, b: CellDigest): boolean {
  return a.rows === b.rows && a.hash === b.hash && a.sums.every((sum, index) => sameNumber(sum, b.sums[index] ?? ''))
}

/** Sums are exact texts, but PostgreSQL writes `0` where a decimal column has no rows and DuckDB `0.000000`. */
function sameNumber(a: string, b: string): boolean {
  return plain(a) === plain(b)
}

function plain(number: string): string {
  return number.includes('.') ? number.replace(/\.?0+$/, '') : number
}

function differenceOf(table: string, cell: CellDigest, expectedRows: number, foundRows: number): Difference {
  return {
    table,
    bucket: cell.hour,
    shard: cell.shard,
    kind: kindOf(expectedRows, foundRows),
    expectedRows,
    foundRows,
  }
}

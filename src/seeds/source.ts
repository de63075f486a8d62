/** A table file that was held against the schema, ready to run. */
import type { Place } from '../errors.ts'
import type { Protection, SeedRow } from './datum.ts'
import type { SeedTable } from './load.ts'

/** One table file, ready to run. */
export interface Source {
  readonly table: string
  readonly kind: SeedTable['kind']
  readonly file: string
  readonly key: readonly SourceColumn[]
  readonly columns: readonly SourceColumn[]
  /** The column that names the organization of a row, or null. */
  readonly tenant: string | null
  readonly count: number
  /** All rows when they are held in memory; null when they are made as they are needed. */
  readonly rows: readonly SeedRow[] | null
  /** Any row alone, by its number from 0. */
  rowAt(index: number): SeedRow
  /** Where the row, or one of its columns, is written. */
  placeOf(row: SeedRow | null, column?: string): Place
}

export interface SourceColumn {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly protection: Protection | null
  /** An id that derives from the natural key: it is never updated. */
  readonly identity: boolean
}

/** Generated tables up to this many rows are held in memory, so that others can pick from them. */
export const heldRowsMax = 10_000

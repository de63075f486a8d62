/** What is declared about a column's content, as plain data: governance loads it, and contract, seeds and lint are given it. */

/** From what anyone may read to what only its subject may. The order carries meaning. */
export const dataClasses = ['public', 'internal', 'confidential', 'restricted'] as const
export type DataClass = (typeof dataClasses)[number]

export const protections = ['none', 'hashed', 'encrypted'] as const
export type Protection = (typeof protections)[number]

export const purges = ['delete', 'anonymize', 'archive'] as const
export type Purge = (typeof purges)[number]

export interface ColumnClass {
  readonly class: DataClass
  readonly protection: Protection
  /** Days that a value is kept; null keeps it as long as its row has a use. */
  readonly retentionDays: number | null
  /** What happens when the days are over; null where nothing ever is. */
  readonly purge: Purge | null
}

/** The classification of `schema.table` and column; undefined where there is none. */
export type ClassOf = (table: string, column: string) => ColumnClass | undefined

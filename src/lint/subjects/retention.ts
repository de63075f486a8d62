/** How long rows may be kept, by what is declared of their columns. */
import type { ClassOf } from '../../schema/classification.ts'
import { qualified, type Table } from '../../schema/model.ts'

/** The fewest days that every column of the table has to be gone after; null where some column is kept as long as it has a use. */
export function retentionOf(table: Table, classOf: ClassOf): number | null {
  const days = table.columns.map(column => classOf(qualified(table), column.name)?.retentionDays ?? null)
  return days.length === 0 || days.includes(null) ? null : Math.min(...days.map(Number))
}

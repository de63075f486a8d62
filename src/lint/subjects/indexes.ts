/** What indexes can serve. */
import type { Index, Table } from '../../schema/model.ts'

/** The access method, such as `btree`. */
export function methodOf({ definition }: Index): string {
  return / USING (\w+) /.exec(definition)?.[1] ?? 'btree'
}

/** Whether rows with given values in all of `columns` are found through a valid index of the table, whatever its order of them. */
export function isIndexed(table: Table, columns: readonly string[]): boolean {
  return table.indexes.some(
    index =>
      index.valid &&
      /^(btree|hash)$/.test(methodOf(index)) &&
      leadsWith(index, columns) &&
      (index.predicate === null || onlyLeavesOutNulls(index.predicate, columns)),
  )
}

/** The first columns of the index are exactly these, in any order. */
export function leadsWith(index: Index, columns: readonly string[]): boolean {
  const first = index.columns.slice(0, columns.length)
  return columns.length > 0 && first.length === columns.length && columns.every(column => first.includes(column))
}

/** A comparison with a value never finds a null, so that such an index serves as well as a whole one. */
function onlyLeavesOutNulls(predicate: string, columns: readonly string[]): boolean {
  const parts = predicate.replaceAll(/[()]/g, '').split(/ AND /)
  return parts.every(part => {
    const name = /^"?(.+?)"? IS NOT NULL$/.exec(part.trim())?.[1]
    return name !== undefined && columns.includes(name)
  })
}

/** The order in which a schema names things: the same on every machine, whatever its locale. */

export function sorted<T extends { readonly schema: string; readonly name: string }>(objects: readonly T[]): T[] {
  return [...objects].sort((a, b) => compare(a.schema, b.schema) || compare(a.name, b.name))
}

export function sortedByName<T extends { readonly name: string }>(objects: readonly T[]): T[] {
  return [...objects].sort((a, b) => compare(a.name, b.name))
}

/** By code unit, the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/**
 * The schema as a reader thinks of it: partitions belong to their parent. Their names depend on the clock, so a document that listed
 * them would be stale by next week.
 */
import { qualified, type Schema, type Table } from '../schema/model.ts'

/** The schema without partitions and sorted by name; what pointed to a partition points to its root. */
export function foldPartitions(schema: Schema): Schema {
  const parents = new Map(
    schema.tables.flatMap(table => (table.partitionOf ? [[qualified(table), table.partitionOf.parent] as const] : [])),
  )
  const rootOf = (name: string): string => {
    const parent = parents.get(name)
    return parent === undefined || parent === name ? name : rootOf(parent)
  }
  const tables = schema.tables.filter(table => table.partitionOf === null).map(table => redirect(table, rootOf))
  return {
    ...schema,
    tables: byName(tables),
    views: byName(schema.views),
    enums: byName(schema.enums),
    domains: byName(schema.domains),
    routines: schema.routines.toSorted(
      (a, b) => compare(qualified(a), qualified(b)) || compare(a.arguments, b.arguments),
    ),
    sequences: byName(schema.sequences),
    schemas: schema.schemas.toSorted((a, b) => compare(a.name, b.name)),
    extensions: schema.extensions.toSorted(compare),
  }
}

/** By code points: the same order on every machine, whatever its locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byName<T extends { readonly schema: string; readonly name: string }>(objects: readonly T[]): readonly T[] {
  return objects.toSorted((a, b) => compare(qualified(a), qualified(b)))
}

function redirect(table: Table, rootOf: (name: string) => string): Table {
  const seen = new Set<string>()
  const foreignKeys = table.foreignKeys
    .map(key => ({ ...key, references: rootOf(key.references) }))
    .toSorted((a, b) => compare(a.name, b.name))
    .filter(key => {
      const meaning = JSON.stringify([key.columns, key.references, key.referencedColumns])
      return !seen.has(meaning) && seen.add(meaning)
    })
  const named = <T extends { readonly name: string }>(parts: readonly T[]): readonly T[] =>
    parts.toSorted((a, b) => compare(a.name, b.name))
  return {
    ...table,
    foreignKeys,
    uniqueKeys: named(table.uniqueKeys),
    checks: named(table.checks),
    exclusions: named(table.exclusions),
    indexes: named(table.indexes),
    triggers: named(table.triggers),
    rowSecurity: { ...table.rowSecurity, policies: named(table.rowSecurity.policies) },
    grants: table.grants.toSorted((a, b) => compare(a.role, b.role)),
  }
}

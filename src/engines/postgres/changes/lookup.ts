/** Finding objects of a catalog by their names. */
import { qualified, type Table } from '../../../schema/model.ts'

export type Named = { readonly schema: string; readonly name: string }

export function named<T extends Named>(objects: readonly T[], { schema, name }: Named): T | undefined {
  return objects.find(other => other.schema === schema && other.name === name)
}

export function byName<T extends Named>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map(object => [qualified(object), object]))
}

export function absent<T extends Named>(objects: readonly T[], others: readonly Named[]): T[] {
  return objects.filter(object => named(others, object) === undefined)
}

export function missing(before: readonly string[], after: readonly string[]): string[] {
  return after.filter(name => !before.includes(name))
}

export function names(objects: readonly { readonly name: string }[]): string[] {
  return objects.map(({ name }) => name)
}

export function byDepth(tables: readonly Table[], all: readonly Table[]): Table[] {
  const depth = (table: Table): number => {
    const parent = all.find(other => qualified(other) === table.partitionOf?.parent)
    return parent ? depth(parent) + 1 : 0
  }
  return tables.toSorted((a, b) => depth(a) - depth(b))
}

export function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

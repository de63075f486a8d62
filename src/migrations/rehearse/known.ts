/**
 * What a recorder knows of a catalog. It learns from each look what changed, so that a statement costs what it changes and not what there is, and can
 * go back to where a transaction began.
 */
import type { CatalogRows, ObjectRow, RelationRow } from './catalog-rows.ts'

export interface Known {
  readonly objects: ReadonlyMap<string, ObjectRow>
  readonly relations: ReadonlyMap<number, RelationRow>
  /** Whether an object of its own, no part of another, has this kind and name. */
  readonly stands: (row: ObjectRow) => boolean
  /** Takes over what is new, and loses what is gone. */
  readonly learn: (fresh: CatalogRows, gone: Gone) => void
  /** What is known now is what `goBack` leads back to. */
  readonly begin: () => void
  readonly goBack: () => void
  /** Each object that was written or lost since it began: as it was, and as it is. */
  readonly changed: () => readonly (readonly [then: ObjectRow | undefined, now: ObjectRow | undefined])[]
  /** As it was when it began. */
  readonly relationAtBegin: (oid: number) => RelationRow | undefined
}

export interface Gone {
  readonly objects: readonly string[]
  readonly relations: readonly number[]
}

export function knowCatalog(rows: CatalogRows): Known {
  const objects = new Map<string, ObjectRow>()
  const relations = new Map<number, RelationRow>()
  const standing = new Map<string, number>()
  /** As they were when it began, of those that changed since. */
  const objectsThen = new Map<string, ObjectRow | undefined>()
  const relationsThen = new Map<number, RelationRow | undefined>()
  const count = (row: ObjectRow | undefined, by: 1 | -1): void => {
    if (row && !row.part) standing.set(nameOf(row), (standing.get(nameOf(row)) ?? 0) + by)
  }
  const setObject = (key: string, row: ObjectRow | undefined): void => {
    count(objects.get(key), -1)
    count(row, 1)
    setOrDelete(objects, key, row)
  }
  const setRelation = (oid: number, row: RelationRow | undefined): void => setOrDelete(relations, oid, row)
  const learn = (fresh: CatalogRows, gone: Gone): void => {
    const objectsNow = [...gone.objects.map(key => [key, undefined] as const), ...fresh.objects.map(keyed)]
    const relationsNow = [...gone.relations.map(oid => [oid, undefined] as const), ...fresh.relations.map(numbered)]
    for (const [key, row] of objectsNow) {
      if (!objectsThen.has(key)) objectsThen.set(key, objects.get(key))
      setObject(key, row)
    }
    for (const [oid, row] of relationsNow) {
      if (!relationsThen.has(oid)) relationsThen.set(oid, relations.get(oid))
      setRelation(oid, row)
    }
  }
  const begin = (): void => {
    objectsThen.clear()
    relationsThen.clear()
  }
  const goBack = (): void => {
    for (const [key, row] of objectsThen) setObject(key, row)
    for (const [oid, row] of relationsThen) setRelation(oid, row)
    begin()
  }
  for (const row of rows.objects) setObject(row.key, row)
  for (const row of rows.relations) setRelation(row.oid, row)
  const stands = (row: ObjectRow): boolean => (standing.get(nameOf(row)) ?? 0) > 0
  const relationAtBegin = (oid: number) => (relationsThen.has(oid) ? relationsThen.get(oid) : relations.get(oid))
  const changed = () => [...objectsThen].map(([key, then]) => [then, objects.get(key)] as const)
  return { objects, relations, stands, learn, begin, goBack, changed, relationAtBegin }
}

function keyed(row: ObjectRow): readonly [string, ObjectRow] {
  return [row.key, row]
}

function numbered(row: RelationRow): readonly [number, RelationRow] {
  return [row.oid, row]
}

function nameOf({ kind, name }: ObjectRow): string {
  return `${kind}:${name}`
}

function setOrDelete<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

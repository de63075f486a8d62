/** Looking things up in a catalog by the names that statements and rehearsals use. */
import { qualified, type Schema, type Table } from '../schema/model.ts'
import type { ObjectChange, ObjectKind } from '../schema/rehearsal.ts'

/** The table of that name; a name without a schema finds the one in `public`, else the first. */
export function tableIn(schema: Schema | null | undefined, name: string): Table | undefined {
  return schema ? pick(schema.tables, qualified, name) : undefined
}

/** The full name of a table, view, index or sequence; null when the catalog has none of that name. */
export function relationIn(schema: Schema, name: string): string | null {
  return pick(relations(schema), relation => relation, name) ?? null
}

/** Whether the catalog holds what a rehearsal saw change; true for kinds that a catalog does not list. */
export function holds(schema: Schema, { kind, name }: Pick<ObjectChange, 'kind' | 'name'>): boolean {
  const names = objects(schema).get(kind)
  return names === undefined || names.has(name)
}

/** The table itself, with its partitions and theirs. */
export function familyOf(schema: Schema | null, table: string): ReadonlySet<string> {
  const family = new Set([table])
  // A partition may be listed before its parent.
  for (let size = 0; size !== family.size; ) {
    size = family.size
    for (const one of schema?.tables ?? [])
      if (one.partitionOf && family.has(one.partitionOf.parent)) family.add(qualified(one))
  }
  return family
}

/** The partitioned table at the top, or the table itself. */
export function rootOf(schema: Schema | null, table: string): string {
  const parent = schema?.tables.find(one => qualified(one) === table)?.partitionOf?.parent
  return parent === undefined ? table : rootOf(schema, parent)
}

/** `users` and `public.users` mean `public.users`; `users` may mean `platform.users` as well. */
export function isSame(full: string, written: string): boolean {
  return full === written || full === `public.${written}` || (!written.includes('.') && full.endsWith(`.${written}`))
}

function pick<T>(all: Iterable<T>, nameOf: (one: T) => string, written: string): T | undefined {
  const found = [...all].filter(one => isSame(nameOf(one), written))
  return found.find(one => nameOf(one) === written || nameOf(one) === `public.${written}`) ?? found[0]
}

const relationsOf = new WeakMap<Schema, readonly string[]>()

function relations(schema: Schema): readonly string[] {
  const known = relationsOf.get(schema)
  if (known) return known
  const all = [
    ...schema.tables.flatMap(table => [
      qualified(table),
      ...table.indexes.map(index => `${table.schema}.${index.name}`),
    ]),
    ...schema.views.map(qualified),
    ...schema.sequences.map(qualified),
  ]
  relationsOf.set(schema, all)
  return all
}

const objectsOf = new WeakMap<Schema, ReadonlyMap<ObjectKind, ReadonlySet<string>>>()

function objects(schema: Schema): ReadonlyMap<ObjectKind, ReadonlySet<string>> {
  const known = objectsOf.get(schema)
  if (known) return known
  const within = (each: (table: Table) => readonly { readonly name: string }[]) =>
    new Set(schema.tables.flatMap(table => each(table).map(({ name }) => `${qualified(table)}.${name}`)))
  const views = (materialized: boolean) =>
    new Set(schema.views.filter(view => view.materialized === materialized).map(qualified))
  const all = new Map<ObjectKind, ReadonlySet<string>>([
    ['schema', new Set(schema.schemas.map(({ name }) => name))],
    ['table', new Set(schema.tables.map(qualified))],
    [
      'column',
      new Set(
        [...schema.tables, ...schema.views].flatMap(one => one.columns.map(({ name }) => `${qualified(one)}.${name}`)),
      ),
    ],
    ['constraint', within(constraints)],
    ['trigger', within(table => table.triggers)],
    ['policy', within(table => table.rowSecurity.policies)],
    ['view', views(false)],
    ['materialized view', views(true)],
    ['sequence', new Set(schema.sequences.map(qualified))],
    ['enum', new Set(schema.enums.map(qualified))],
    ['domain', new Set(schema.domains.map(qualified))],
    ['routine', new Set(schema.routines.map(one => `${qualified(one)}(${one.arguments})`))],
  ])
  objectsOf.set(schema, all)
  return all
}

function constraints(table: Table): readonly { readonly name: string }[] {
  const key = table.primaryKey ? [table.primaryKey] : []
  return [...key, ...table.uniqueKeys, ...table.foreignKeys, ...table.checks, ...table.exclusions]
}

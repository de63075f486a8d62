/** What is said about objects from outside: options of views, privileges, comments. */
import { qualified, type Routine, type Schema, type Table } from '../../../schema/model.ts'
import { optionChanges } from './columns.ts'
import { grantChanges } from './grants.ts'
import { byName, named } from './lookup.ts'
import { comment, type Part } from './parts.ts'
import { routineOf, routineWord } from './routines.ts'
import { quoteName, quotePath } from './spelling.ts'
import { rebuiltEnums } from './types.ts'

export function viewOptions(from: Schema, to: Schema, made: readonly Part[]): string[] {
  return to.views.flatMap(view => {
    const old = from.views.find(other => qualified(other) === qualified(view))
    if (!old || made.some(part => part.id === `view ${qualified(view)}`)) return []
    return optionChanges(`alter ${viewWord(view)} ${quotePath(view)}`, old.options, view.options)
  })
}

export function privileges(from: Schema, to: Schema, made: readonly Part[], rebuilt: readonly Routine[]): string[] {
  const tables = byName(from.tables)
  const views = byName(from.views)
  const isNew = (id: string): boolean => made.some(part => part.id === id)
  return [
    ...to.schemas.flatMap(({ name, grants }) =>
      grantChanges(`schema ${quoteName(name)}`, from.schemas.find(old => old.name === name)?.grants ?? [], grants),
    ),
    ...to.tables.flatMap(table =>
      grantChanges(
        `table ${quotePath(table)}`,
        tables.get(qualified(table))?.grants ?? [],
        table.grants,
        table.columns.map(column => column.name),
      ),
    ),
    ...to.views.flatMap(view => {
      const old = isNew(`view ${qualified(view)}`) ? undefined : views.get(qualified(view))
      const columns = view.columns.map(column => column.name)
      return grantChanges(`table ${quotePath(view)}`, old?.grants ?? [], view.grants, columns)
    }),
    ...to.routines.flatMap(routine => {
      const old = rebuilt.includes(routine) ? undefined : routineOf(from, routine)
      // Everybody may call a new routine until somebody says otherwise.
      const before = old?.grants ?? [{ role: 'public', privileges: ['execute'] }]
      const object = `${routine.kind === 'procedure' ? 'procedure' : 'function'} ${quotePath(routine)}(${routine.arguments})`
      return grantChanges(object, before, routine.grants)
    }),
  ]
}

export function comments(from: Schema, to: Schema, made: readonly Part[], rebuilt: readonly Routine[]): string[] {
  const tables = byName(from.tables)
  const views = byName(from.views)
  const change = (kind: string, path: string, old: string | null | undefined, now: string | null): string[] =>
    (old ?? null) === now ? [] : [comment(kind, path, now)]
  const ofColumns = (old: Pick<Table, 'columns'> | undefined, now: Pick<Table, 'columns'>, path: string): string[] =>
    now.columns.flatMap(column => {
      const before = old?.columns.find(other => other.name === column.name)
      return change('column', `${path}.${quoteName(column.name)}`, before?.comment, column.comment)
    })
  return [
    ...to.schemas.flatMap(({ name, comment: text }) =>
      change('schema', quoteName(name), from.schemas.find(old => old.name === name)?.comment, text),
    ),
    ...to.tables.flatMap(table => {
      const old = tables.get(qualified(table))
      const path = quotePath(table)
      return [...change('table', path, old?.comment, table.comment), ...ofColumns(remade(old, table), table, path)]
    }),
    ...to.views.flatMap(view => {
      const old = made.some(part => part.id === `view ${qualified(view)}`) ? undefined : views.get(qualified(view))
      const path = quotePath(view)
      return [...change(viewWord(view), path, old?.comment, view.comment), ...ofColumns(old, view, path)]
    }),
    ...to.enums.flatMap(type => {
      const old = rebuiltEnums(from, to).includes(type) ? undefined : named(from.enums, type)
      return change('type', quotePath(type), old?.comment, type.comment)
    }),
    ...to.domains.flatMap(type => change('domain', quotePath(type), named(from.domains, type)?.comment, type.comment)),
    ...to.routines.flatMap(routine => {
      const old = rebuilt.includes(routine) ? undefined : routineOf(from, routine)
      const path = `${quotePath(routine)}(${routine.arguments})`
      return change(routineWord(routine), path, old?.comment, routine.comment)
    }),
  ]
}

function remade(old: Table | undefined, now: Table): Table | undefined {
  if (!old) return undefined
  const kept = old.columns.filter(column => {
    const after = now.columns.find(other => other.name === column.name)
    return after === undefined || after.generated === null || after.generated === column.generated
  })
  return { ...old, columns: kept }
}

function viewWord({ materialized }: { readonly materialized: boolean }): string {
  return materialized ? 'materialized view' : 'view'
}

/** What is said about objects from outside: options of views, privileges, comments. */
import { inventory } from '../../../schema/diff.ts'
import {
  type Comment,
  type DefaultGrants,
  type Grant,
  qualified,
  type Routine,
  type Schema,
  type Table,
} from '../../../schema/model.ts'
import { optionChanges } from './columns.ts'
import { grantChanges } from './grants.ts'
import { byName, named } from './lookup.ts'
import { comment, type Part } from './parts.ts'
import { routineOf, routineWord } from './routines.ts'
import { literal, quoteName, quotePath, quoteRole } from './spelling.ts'
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
  // A new object has what is granted by default; that goes before what it shall have.
  const given = (object: string, kind: string, schema: string | null, isMade: boolean): string[] =>
    isMade ? grantChanges(object, grantedByDefault(to, kind, schema), []) : []
  return [
    ...to.schemas.flatMap(({ name, grants }) => {
      const old = from.schemas.find(other => other.name === name)
      const object = `schema ${quoteName(name)}`
      return [...given(object, 'schemas', null, !old), ...grantChanges(object, old?.grants ?? [], grants)]
    }),
    ...to.tables.flatMap(table => {
      const old = tables.get(qualified(table))
      const object = `table ${quotePath(table)}`
      const columns = table.columns.map(column => column.name)
      return [
        ...given(object, 'tables', table.schema, !old),
        ...grantChanges(object, old?.grants ?? [], table.grants, columns),
      ]
    }),
    ...to.sequences.flatMap(sequence => {
      const old = named(from.sequences, sequence)
      const object = `sequence ${quotePath(sequence)}`
      return [
        ...given(object, 'sequences', sequence.schema, !old),
        ...grantChanges(object, old?.grants ?? [], sequence.grants ?? []),
      ]
    }),
    ...to.views.flatMap(view => {
      const old = isNew(`view ${qualified(view)}`) ? undefined : views.get(qualified(view))
      const columns = view.columns.map(column => column.name)
      const object = `table ${quotePath(view)}`
      return [
        ...given(object, 'tables', view.schema, !old),
        ...grantChanges(object, old?.grants ?? [], view.grants, columns),
      ]
    }),
    ...to.routines.flatMap(routine => {
      const old = rebuilt.includes(routine) ? undefined : routineOf(from, routine)
      const object = `${routine.kind === 'procedure' ? 'procedure' : 'function'} ${quotePath(routine)}(${routine.arguments})`
      if (old) return grantChanges(object, old.grants, routine.grants)
      // Everybody may call a new routine, unless somebody said otherwise of all that are new.
      const usual = [{ role: 'public', privileges: ['execute'] }]
      if (!to.defaultGrants?.some(({ kind }) => kind === 'functions'))
        return grantChanges(object, usual, routine.grants)
      const taken = [...usual, ...grantedByDefault(to, 'functions', routine.schema)]
      return [...grantChanges(object, taken, []), ...grantChanges(object, [], routine.grants)]
    }),
  ]
}

function grantedByDefault({ defaultGrants = [] }: Schema, kind: string, schema: string | null): Grant[] {
  return defaultGrants.flatMap(one => (one.kind === kind && one.schema === schema ? one.grants : []))
}

/** What new objects are granted from now on. */
export function defaultPrivileges(from: Schema, to: Schema): string[] {
  const [before, after] = [from.defaultGrants ?? [], to.defaultGrants ?? []]
  const isOf = (one: DefaultGrants) => (other: DefaultGrants) =>
    other.role === one.role && other.schema === one.schema && other.kind === one.kind
  const all = [...after, ...before.filter(one => !after.some(isOf(one)))]
  return all.flatMap(one => {
    const where = one.schema === null ? '' : ` in schema ${quoteName(one.schema)}`
    const old = before.find(isOf(one))?.grants ?? builtIn(one)
    const now = after.find(isOf(one))?.grants ?? builtIn(one)
    return grantChanges(one.kind, old, now).map(
      text => `alter default privileges for role ${quoteRole(one.role)}${where} ${text}`,
    )
  })
}

/** What the server grants where nobody said anything. */
function builtIn({ schema, kind }: DefaultGrants): readonly Grant[] {
  if (schema !== null) return []
  if (kind === 'functions') return [{ role: 'public', privileges: ['execute'] }]
  return kind === 'types' ? [{ role: 'public', privileges: ['usage'] }] : []
}

/** Owners that differ, and those of new objects unless they are the usual one. */
export function ownerChanges(from: Schema, to: Schema, made: readonly Part[], rebuilt: readonly Routine[]): string[] {
  const before = new Map((from.owners?.objects ?? []).map(({ object, role }) => [object, role]))
  const after = new Map((to.owners?.objects ?? []).map(({ object, role }) => [object, role]))
  const change = (object: string, word: string, path: string, isMade: boolean): string[] => {
    const role = after.get(object)
    const old = isMade ? to.owners?.database : (before.get(object) ?? to.owners?.database)
    return role === undefined || role === old ? [] : [`alter ${word} ${path} owner to ${quoteRole(role)}`]
  }
  const enums = rebuiltEnums(from, to)
  return [
    ...to.schemas.flatMap(({ name }) => change(`schema ${name}`, 'schema', quoteName(name), false)),
    ...to.tables.flatMap(one => change(`table ${qualified(one)}`, 'table', quotePath(one), false)),
    ...to.views.flatMap(one => {
      const id = `view ${qualified(one)}`
      return change(
        id,
        viewWord(one),
        quotePath(one),
        made.some(part => part.id === id),
      )
    }),
    ...to.enums.flatMap(one => change(`enum ${qualified(one)}`, 'type', quotePath(one), enums.includes(one))),
    ...to.domains.flatMap(one => change(`domain ${qualified(one)}`, 'domain', quotePath(one), false)),
    ...to.sequences.flatMap(one => change(`sequence ${qualified(one)}`, 'sequence', quotePath(one), false)),
    ...to.routines.flatMap(one => {
      const list = `(${one.arguments})`
      return change(
        `routine ${qualified(one)}${list}`,
        routineWord(one),
        `${quotePath(one)}${list}`,
        rebuilt.includes(one),
      )
    }),
  ]
}

/** Comments on parts of tables and on sequences; what was made anew has lost its own. */
export function partComments(from: Schema, to: Schema, made: readonly Part[]): string[] {
  const before = new Map((from.comments ?? []).map(one => [one.object, one]))
  const after = new Map((to.comments ?? []).map(one => [one.object, one]))
  const there = inventory(to)
  const isMade = ({ table, name }: Comment): boolean =>
    table !== null &&
    made.some(part => part.table !== null && qualified(part.table) === table && part.id.endsWith(` ${table}.${name}`))
  return [
    ...[...after.values()]
      .filter(one => there.has(one.object) && (before.get(one.object)?.text !== one.text || isMade(one)))
      .map(one => `comment on ${one.target} is ${literal(one.text)}`),
    ...[...before.values()]
      .filter(one => !after.has(one.object) && there.has(one.object))
      .map(one => `comment on ${one.target} is null`),
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

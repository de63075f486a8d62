/**
 * The statements that lead a database from one catalog to another, in an order in which PostgreSQL takes them, in one transaction. What the
 * model of a catalog does not hold (owners, comments on indexes, storage of columns) is neither compared nor written.
 */
import { qualified, type Routine, type Schema, type Table } from '../../../schema/model.ts'
import type { Change } from '../../engine.ts'
import {
  changedColumns,
  columnDefinition,
  columnLoosening,
  columnRecast,
  columnTightening,
  createTable,
  isRecast,
  isRemade,
  optionChanges,
  rowSecurityChanges,
  tableOptions,
} from './columns.ts'
import { grantChanges } from './grants.ts'
import { comment, type Part, partsOf } from './parts.ts'
import { type Ground, headOf, isBound, rebuiltParts } from './rebuild.ts'
import { literal, mentions, quoteName, quotePath } from './spelling.ts'
import {
  addedValues,
  createDomain,
  createEnum,
  createSequence,
  domainChanges,
  rebuildEnum,
  rebuiltEnums,
  sequenceChanges,
} from './types.ts'

/** Pure. Empty when the catalogs are equal. */
export function writeChanges(from: Schema, to: Schema): Change[] {
  const notes = notesOf(from, to)
  const enums = rebuiltEnums(from, to)
  const routines = routineChanges(from, to, enums)
  const columns = columnsOf(from, to)
  const ground: Ground = {
    gone: [...enums, ...routines.removed, ...routines.rebuilt],
    moved: [
      ...columns.pairs.filter(isRecast).map(({ table }) => table),
      ...columns.extra.map(({ table }) => table),
      ...to.tables.filter(table => table.columns.some(column => enums.some(type => mentions(column.type, type)))),
    ],
    columns: columns.pairs,
  }
  const parts = partChanges(from, to, ground)
  const tables = tableChanges(from, to)
  const defaults = defaultsOn(from, to, ground, columns.pairs)
  const isGone = (name: string): boolean => tables.dropped.some(table => qualified(table) === name)
  const sequences = sequenceSteps(from, to)
  const domains = domainSteps(from, to)
  const statements = [
    ...(routines.made.length > 0 ? ['set local check_function_bodies = off'] : []),
    ...missing(from.extensions, to.extensions).map(name => `create extension if not exists ${quoteName(name)}`),
    ...missing(names(from.schemas), names(to.schemas)).map(name => `create schema ${quoteName(name)}`),
    ...parts.dropped.map(part => part.drop),
    ...defaults.dropped,
    ...columns.pairs.flatMap(columnLoosening),
    ...routines.early.map(dropRoutine),
    ...tables.dropped.map(table => `drop table if exists ${quotePath(table)}`),
    ...columns.extra
      .filter(({ table }) => !isGone(qualified(table)))
      .map(({ table, name }) => `alter table ${quotePath(table)} drop column ${quoteName(name)}`),
    ...routines.rebuilt.map(dropRoutine),
    ...enumSteps(from, to, enums),
    ...domains.made,
    ...sequences.made,
    ...routines.first.flatMap(createRoutine),
    ...tables.created.map(table => createTable(tables.later.includes(table) ? standalone(table) : table)),
    ...columns.pairs.filter(pair => !isRemade(pair, columns.pairs)).flatMap(columnRecast),
    ...columns.pairs
      .filter(pair => isRemade(pair, columns.pairs))
      .flatMap(({ table, now }) => [
        `alter table ${quotePath(table)} drop column ${quoteName(now.name)}`,
        `alter table ${quotePath(table)} add column ${columnDefinition(now)}`,
      ]),
    ...columns.added.map(
      ({ table, column }) => `alter table ${quotePath(table)} add column ${columnDefinition(column)}`,
    ),
    ...columns.pairs.filter(pair => !isRemade(pair, columns.pairs)).flatMap(columnTightening),
    ...defaults.set,
    ...tables.changed,
    ...routines.second.flatMap(createRoutine),
    ...ofKinds(parts.made, ['key', 'exclusion', 'check', 'index']),
    ...tables.attached,
    ...ofKinds(parts.made, ['foreign key', 'view']),
    ...routines.third.flatMap(createRoutine),
    ...ofKinds(parts.made, ['trigger', 'policy']),
    ...sequences.owned,
    ...viewOptions(from, to, parts.made),
    ...privileges(from, to, parts.made, routines.rebuilt),
    ...comments(from, to, parts.made, routines.rebuilt),
    ...routines.late.map(dropRoutine),
    ...sequences.dropped,
    ...domains.dropped,
    ...absent(from.enums, to.enums).map(type => `drop type if exists ${quotePath(type)}`),
    ...missing(to.extensions, from.extensions).map(name => `drop extension if exists ${quoteName(name)}`),
    ...missing(names(to.schemas), names(from.schemas)).map(name => `drop schema if exists ${quoteName(name)}`),
  ]
  return [
    ...notes.map((text): Change => ({ kind: 'note', text })),
    ...statements.filter(text => !text.startsWith('-- ')).map((text): Change => ({ kind: 'statement', text })),
  ]
}

/** What no statement mends, or mends at a price that somebody has to know. */
function notesOf(from: Schema, to: Schema): string[] {
  const before = byName(from.tables)
  const divided = to.tables.flatMap(table => {
    const old = before.get(qualified(table))
    return old && JSON.stringify(old.partitioning) !== JSON.stringify(table.partitioning)
      ? [`${qualified(table)} is divided otherwise; only a new table and a move of its rows could mend that.`]
      : []
  })
  const domains = to.domains.flatMap(domain => {
    const old = from.domains.find(other => qualified(other) === qualified(domain))
    return old && domainChanges(old, domain) === null
      ? [`The domain ${qualified(domain)} is of another type; only a new domain could mend that.`]
      : []
  })
  return [...divided, ...domains, ...losses(from, to)]
}

/** What goes takes its rows along, and what comes has none for those that are there. */
function losses(from: Schema, to: Schema): string[] {
  const { added, extra } = columnsOf(from, to)
  return [
    ...absent(from.tables, to.tables)
      .filter(table => !table.partitioning)
      .map(table => `The table ${qualified(table)} goes with its rows.`),
    ...extra.map(({ table, name }) => `The column ${qualified(table)}.${name} goes with its values.`),
    ...added
      .filter(
        ({ column }) => !column.nullable && column.default === null && !column.identity && column.generated === null,
      )
      .map(
        ({ table, column }) =>
          `The column ${qualified(table)}.${column.name} has no default, so it cannot come back while there are rows.`,
      ),
  ]
}

function tableChanges(from: Schema, to: Schema) {
  const before = byName(from.tables)
  const created = absent(to.tables, from.tables)
  const kept = to.tables.flatMap(now => {
    const old = before.get(qualified(now))
    return old ? [{ old, now }] : []
  })
  const changed = [
    ...kept.flatMap(({ old, now }) => [
      ...attachment(old, now),
      ...tableOptions(old, now),
      ...rowSecurityChanges(old, now),
    ]),
    ...created.flatMap(table => rowSecurityChanges(undefined, table)),
  ]
  // A partition of a table that is there would come with keys and indexes under names of the server's choice.
  const later = created.filter(table => before.has(table.partitionOf?.parent ?? ''))
  return {
    created: byDepth(created, to.tables),
    later,
    attached: later.flatMap(table => attachment(standalone(table), table)),
    dropped: byDepth(absent(from.tables, to.tables), from.tables).toReversed(),
    changed,
  }
}

function ofKinds(parts: readonly Part[], kinds: readonly Part['kind'][]): string[] {
  return parts.filter(part => kinds.includes(part.kind)).flatMap(part => part.create)
}

/** The same table before it is attached; an identity comes from the parent. */
function standalone(table: Table): Table {
  return { ...table, partitionOf: null, columns: table.columns.map(column => ({ ...column, identity: null })) }
}

function attachment(old: Table, now: Table): string[] {
  if (JSON.stringify(old.partitionOf) === JSON.stringify(now.partitionOf)) return []
  const verb = (parent: string, what: string, bounds = ''): string => {
    const at = parent.indexOf('.')
    const path = quotePath({ schema: parent.slice(0, at), name: parent.slice(at + 1) })
    return `alter table ${path} ${what} partition ${quotePath(now)}${bounds}`
  }
  return [
    ...(old.partitionOf ? [verb(old.partitionOf.parent, 'detach')] : []),
    ...(now.partitionOf ? [verb(now.partitionOf.parent, 'attach', ` ${now.partitionOf.bounds}`)] : []),
  ]
}

/** Those of a partition come with its parent's. */
function columnsOf(from: Schema, to: Schema) {
  const before = byName(from.tables)
  const kept = to.tables.flatMap(now => {
    const old = before.get(qualified(now))
    return old ? [{ old, now }] : []
  })
  const own = kept.filter(({ old, now }) => now.partitionOf === null || old.partitionOf === null)
  const all = changedColumns(from, to)
  const pairs = all.filter(
    ({ table, old, now }) =>
      table.partitionOf === null ||
      !all.some(
        other => qualified(other.table) === table.partitionOf?.parent && sameText([other.old, other.now], [old, now]),
      ),
  )
  return {
    pairs,
    added: own.flatMap(({ old, now }) =>
      now.columns
        .filter(column => !old.columns.some(other => other.name === column.name))
        .map(column => ({ table: now, column })),
    ),
    extra: own.flatMap(({ old, now }) =>
      old.columns
        .filter(column => !now.columns.some(other => other.name === column.name))
        .map(({ name }) => ({ table: now, name })),
    ),
  }
}

/** Defaults that stay as they are, but name something that is made again. */
function defaultsOn(
  from: Schema,
  to: Schema,
  { gone }: Ground,
  pairs: readonly { table: Table; now: { name: string } }[],
) {
  const before = byName(from.tables)
  const named = to.tables.flatMap(table => {
    const old = before.get(qualified(table))
    return table.columns.flatMap(column => {
      const kept = old?.columns.some(other => other.name === column.name) === true
      const known = pairs.some(pair => pair.table === table && pair.now.name === column.name)
      const touched = gone.some(name => mentions(`${column.type} ${column.default ?? ''}`, name))
      return kept && !known && touched && column.default !== null ? [{ table, column }] : []
    })
  })
  const alter = ({ table, column }: (typeof named)[number]): string =>
    `alter table ${quotePath(table)} alter column ${quoteName(column.name)}`
  return {
    dropped: named.map(one => `${alter(one)} drop default`),
    set: named.map(one => `${alter(one)} set default ${one.column.default}`),
  }
}

function partChanges(from: Schema, to: Schema, ground: Ground) {
  const [before, after] = [partsOf(from), partsOf(to)]
  const rebuilt = rebuiltParts(before, after, to, ground)
  const old = new Map(before.map(part => [part.id, part]))
  const now = new Map(after.map(part => [part.id, part]))
  const differs = (part: Part): boolean =>
    rebuilt.has(part.id) || old.get(part.id)?.create.join() !== now.get(part.id)?.create.join()
  const doomed = new Set(absent(from.tables, to.tables).map(qualified))
  // A table that goes takes its own along; only what ties it to others has to go before.
  const goes = (part: Part): boolean =>
    part.table === null ||
    !doomed.has(qualified(part.table)) ||
    part.kind === 'foreign key' ||
    part.kind === 'policy' ||
    part.kind === 'trigger'
  return {
    dropped: before.filter(part => differs(part) && goes(part)).toReversed(),
    made: after.filter(differs),
  }
}

function routineChanges(from: Schema, to: Schema, enums: Schema['enums']) {
  const key = (routine: Routine): string => `${qualified(routine)}(${routine.arguments})`
  const old = new Map(from.routines.map(routine => [key(routine), routine]))
  const now = new Set(to.routines.map(key))
  const removed = from.routines.filter(routine => !now.has(key(routine)))
  const lost = absent(from.tables, to.tables)
  const fresh = [...absent(to.tables, from.tables), ...absent(to.views, from.views)]
  const isRebuilt = (routine: Routine): boolean => {
    const before = old.get(key(routine))
    if (!before) return false
    const bound = isBound(before) ? before.definition : headOf(before)
    return headOf(before) !== headOf(routine) || enums.some(type => mentions(bound, type))
  }
  const rebuilt = to.routines.filter(isRebuilt)
  const made = to.routines.filter(
    routine => isRebuilt(routine) || old.get(key(routine))?.definition !== routine.definition,
  )
  const waits = (routine: Routine): boolean => isBound(routine) || fresh.some(name => mentions(headOf(routine), name))
  const waitsForView = (routine: Routine): boolean =>
    waits(routine) && to.views.some(view => mentions(isBound(routine) ? routine.definition : headOf(routine), view))
  return {
    made,
    rebuilt,
    removed,
    /** Removed before the tables that they answer. */
    early: removed.filter(routine => lost.some(table => mentions(headOf(routine), table))),
    late: removed.filter(routine => !lost.some(table => mentions(headOf(routine), table))),
    first: made.filter(routine => !waits(routine)),
    second: made.filter(routine => waits(routine) && !waitsForView(routine)),
    third: made.filter(waitsForView),
  }
}

function createRoutine(routine: Routine): string[] {
  if (routine.kind !== 'aggregate') return [routine.definition.trim()]
  const [, sfunc, stype, finalfunc, initcond] =
    /^sfunc (\S+) stype (.+?)(?: finalfunc (\S+))?(?: initcond (.*))?$/s.exec(routine.definition) ?? []
  const clauses = [
    `sfunc = ${sfunc}`,
    `stype = ${stype}`,
    ...(finalfunc === undefined ? [] : [`finalfunc = ${finalfunc}`]),
    ...(initcond === undefined ? [] : [`initcond = ${initcond}`]),
  ]
  return [`create or replace aggregate ${quotePath(routine)}(${routine.arguments}) (${clauses.join(', ')})`]
}

function dropRoutine(routine: Routine): string {
  return `drop ${routineWord(routine)} ${quotePath(routine)}(${routine.arguments})`
}

function routineWord({ kind }: Routine): string {
  return kind === 'procedure' || kind === 'aggregate' ? kind : 'function'
}

function enumSteps(from: Schema, to: Schema, rebuilt: Schema['enums']): string[] {
  return to.enums.flatMap(type => {
    const old = from.enums.find(other => qualified(other) === qualified(type))
    if (!old) return [createEnum(type)]
    return rebuilt.includes(type) ? rebuildEnum(type, kept(from, to)) : addedValues(old, type)
  })
}

/** The old tables and columns that are there in the end as well. */
function kept(from: Schema, to: Schema): Table[] {
  const after = byName(to.tables)
  return from.tables.flatMap(table => {
    const now = after.get(qualified(table))
    const columns = table.columns.filter(column => now?.columns.some(other => other.name === column.name))
    return now ? [{ ...table, columns }] : []
  })
}

function domainSteps(from: Schema, to: Schema) {
  const made = to.domains.flatMap(domain => {
    const old = from.domains.find(other => qualified(other) === qualified(domain))
    return old ? (domainChanges(old, domain) ?? []) : [createDomain(domain)]
  })
  return { made, dropped: absent(from.domains, to.domains).map(domain => `drop domain if exists ${quotePath(domain)}`) }
}

function sequenceSteps(from: Schema, to: Schema) {
  const pairs = to.sequences.map(now => ({
    now,
    old: from.sequences.find(other => qualified(other) === qualified(now)),
  }))
  const owner = (ownedBy: string): { readonly column: string; readonly table: Table | undefined } => {
    const table = to.tables.find(one => ownedBy.startsWith(`${qualified(one)}.`))
    return { table, column: ownedBy.slice((table ? qualified(table) : '').length + 1) }
  }
  return {
    made: pairs.flatMap(({ old, now }) => (old ? sequenceChanges(old, now) : [createSequence(now)])),
    owned: pairs.flatMap(({ old, now }) => {
      if ((old?.ownedBy ?? null) === now.ownedBy) return []
      const { table, column } = now.ownedBy === null ? { table: undefined, column: '' } : owner(now.ownedBy)
      if (!table) return [`alter sequence ${quotePath(now)} owned by none`]
      const path = quotePath(table)
      return [
        `alter sequence ${quotePath(now)} owned by ${path}.${quoteName(column)}`,
        // A new sequence would give out numbers that are taken.
        ...(old
          ? []
          : [
              `select setval(${literal(quotePath(now))}, coalesce(max(${quoteName(column)}), 0) + 1, false) from ${path}`,
            ]),
      ]
    }),
    dropped: absent(from.sequences, to.sequences).map(one => `drop sequence if exists ${quotePath(one)}`),
  }
}

function viewOptions(from: Schema, to: Schema, made: readonly Part[]): string[] {
  return to.views.flatMap(view => {
    const old = from.views.find(other => qualified(other) === qualified(view))
    if (!old || made.some(part => part.id === `view ${qualified(view)}`)) return []
    return optionChanges(`alter ${viewWord(view)} ${quotePath(view)}`, old.options, view.options)
  })
}

function privileges(from: Schema, to: Schema, made: readonly Part[], rebuilt: readonly Routine[]): string[] {
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

function comments(from: Schema, to: Schema, made: readonly Part[], rebuilt: readonly Routine[]): string[] {
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

/** The old table without the comments that go with a column that is made anew. */
function remade(old: Table | undefined, now: Table): Table | undefined {
  if (!old) return undefined
  const kept = old.columns.filter(column => {
    const after = now.columns.find(other => other.name === column.name)
    return after === undefined || after.generated === null || after.generated === column.generated
  })
  return { ...old, columns: kept }
}

function routineOf(schema: Schema, { arguments: list, ...name }: Routine): Routine | undefined {
  return schema.routines.find(other => qualified(other) === qualified(name) && other.arguments === list)
}

function viewWord({ materialized }: { readonly materialized: boolean }): string {
  return materialized ? 'materialized view' : 'view'
}

type Named = { readonly schema: string; readonly name: string }

function named<T extends Named>(objects: readonly T[], { schema, name }: Named): T | undefined {
  return objects.find(other => other.schema === schema && other.name === name)
}

function byName<T extends Named>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map(object => [qualified(object), object]))
}

/** Those of the first list that the second does not have. */
function absent<T extends Named>(objects: readonly T[], others: readonly Named[]): T[] {
  return objects.filter(object => named(others, object) === undefined)
}

/** Those of `after` that `before` does not have. */
function missing(before: readonly string[], after: readonly string[]): string[] {
  return after.filter(name => !before.includes(name))
}

function names(objects: readonly { readonly name: string }[]): string[] {
  return objects.map(({ name }) => name)
}

/** Parents before their partitions. */
function byDepth(tables: readonly Table[], all: readonly Table[]): Table[] {
  const depth = (table: Table): number => {
    const parent = all.find(other => qualified(other) === table.partitionOf?.parent)
    return parent ? depth(parent) + 1 : 0
  }
  return tables.toSorted((a, b) => depth(a) - depth(b))
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/**
 * The statements that lead a database from one catalog to another, in an order in which PostgreSQL takes them, in one transaction. What the
 * model of a catalog does not hold is neither compared nor written.
 */
import { type Column, qualified, type Schema, type Table } from '../../../schema/model.ts'
import type { Change } from '../../engine.ts'
import {
  columnDefinition,
  columnLoosening,
  columnRecast,
  columnTightening,
  createTable,
  isRecast,
  isRemade,
} from './columns.ts'
import { absent, byName, missing, names } from './lookup.ts'
import { comments, defaultPrivileges, ownerChanges, partComments, privileges, viewOptions } from './outside.ts'
import { otherChanges, otherNotes, otherRemarks, settingChanges } from './others.ts'
import { type Part, partsOf } from './parts.ts'
import { type Ground, rebuiltParts } from './rebuild.ts'
import { createRoutine, dropRoutine, routineChanges } from './routines.ts'
import { mentions, quoteName, quotePath } from './spelling.ts'
import { domainSteps, enumSteps, sequenceSteps } from './steps.ts'
import { columnsOf, defaultsOn, standalone, tableChanges } from './tables.ts'
import { domainChanges, rebuiltEnums } from './types.ts'

/** Pure. Empty when the catalogs are equal. */
export function writeChanges(from: Schema, to: Schema): Change[] {
  const notes = notesOf(from, to)
  const enums = rebuiltEnums(from, to)
  const types = otherChanges(from, to, enums, ['types'])
  const routines = routineChanges(from, to, [...enums, ...types.gone])
  const replaced = [...enums, ...types.gone, ...routines.removed, ...routines.rebuilt]
  const means = otherChanges(from, to, replaced, ['functions', 'tables'])
  const columns = columnsOf(from, to)
  const ground: Ground = {
    gone: [...replaced, ...means.gone],
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
  const ownTypes = (to.others ?? []).filter(({ kind }) => kind === 'type')
  const isOnOther = (text: string): boolean =>
    ownTypes.some(({ schema, name }) =>
      mentions(text, { schema: schema ?? '', name: name.slice((schema ?? '').length + 1) }),
    )
  const views = parts.made.flatMap(part => part.name ?? [])
  const hanging = otherChanges(from, to, [...ground.gone, ...ground.moved, ...views], ['late', 'last'])
  const remade = new Set([...types.made, ...means.made, ...hanging.made])
  const settings = settingChanges(from, to, remade, { ...ground, parts: parts.made })
  const statements = [
    ...(routines.made.length > 0 ? ['set local check_function_bodies = off'] : []),
    ...missing(from.extensions, to.extensions).map(name => `create extension if not exists ${quoteName(name)}`),
    ...missing(names(from.schemas), names(to.schemas)).map(name => `create schema ${quoteName(name)}`),
    ...defaultPrivileges(from, to),
    ...hanging.dropped.last,
    ...hanging.dropped.late,
    ...settings.undone,
    ...parts.dropped.map(part => part.drop),
    ...means.dropped.tables,
    ...defaults.dropped,
    ...columns.pairs.flatMap(columnLoosening),
    ...routines.early.map(dropRoutine),
    ...tables.dropped.map(table => `drop table if exists ${quotePath(table)}`),
    ...columns.extra
      .filter(({ table }) => !isGone(qualified(table)))
      .map(({ table, name }) => `alter table ${quotePath(table)} drop column ${quoteName(name)}`),
    ...means.dropped.functions,
    ...routines.rebuilt.map(dropRoutine),
    ...types.dropped.types,
    ...enumSteps(from, to, enums),
    ...types.created.types,
    ...sequences.made,
    ...domains.made.filter(text => !isOnOther(text)),
    ...settings.made.types,
    ...domains.made.filter(isOnOther),
    ...routines.first.flatMap(createRoutine),
    ...means.created.functions,
    ...settings.made.functions,
    ...tables.created.map(table => createTable(tables.later.includes(table) ? standalone(table) : table)),
    ...columns.pairs.filter(pair => !isRemade(pair, columns.pairs)).flatMap(columnRecast),
    // A generated column may read one that comes back.
    ...columns.added.filter(({ column }) => column.generated === null).map(addColumn),
    ...columns.pairs
      .filter(pair => isRemade(pair, columns.pairs))
      .flatMap(({ table, now }) => [
        `alter table ${quotePath(table)} drop column ${quoteName(now.name)}`,
        `alter table ${quotePath(table)} add column ${columnDefinition(now)}`,
      ]),
    ...columns.added.filter(({ column }) => column.generated !== null).map(addColumn),
    ...columns.pairs.filter(pair => !isRemade(pair, columns.pairs)).flatMap(columnTightening),
    ...defaults.set,
    ...tables.changed,
    ...routines.second.flatMap(createRoutine),
    ...ofKinds(parts.made, ['key', 'exclusion', 'check', 'index']),
    ...tables.attached,
    ...means.created.tables,
    ...settings.made.tables,
    ...ofKinds(parts.made, ['foreign key', 'view']),
    ...routines.third.flatMap(createRoutine),
    ...ofKinds(parts.made, ['trigger', 'policy']),
    ...hanging.created.late,
    ...settings.rest,
    ...settings.made.late,
    ...ownerChanges(from, to, parts.made, routines.rebuilt),
    ...sequences.owned,
    ...viewOptions(from, to, parts.made),
    ...privileges(from, to, parts.made, routines.rebuilt),
    ...comments(from, to, parts.made, routines.rebuilt),
    ...partComments(from, to, parts.made),
    ...routines.late.map(dropRoutine),
    ...sequences.dropped,
    ...domains.dropped,
    ...types.droppedTypes,
    ...absent(from.enums, to.enums).map(type => `drop type if exists ${quotePath(type)}`),
    ...missing(to.extensions, from.extensions).map(name => `drop extension if exists ${quoteName(name)}`),
    ...missing(names(to.schemas), names(from.schemas)).map(name => `drop schema if exists ${quoteName(name)}`),
    ...hanging.created.last,
    ...settings.made.last,
    ...otherRemarks(from, to, remade),
  ]
  return [
    ...notes.map((text): Change => ({ kind: 'note', text })),
    ...statements.filter(text => !text.startsWith('-- ')).map((text): Change => ({ kind: 'statement', text })),
  ]
}

function addColumn({ table, column }: { readonly table: Table; readonly column: Column }): string {
  return `alter table ${quotePath(table)} add column ${columnDefinition(column)}`
}

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
  return [...divided, ...domains, ...losses(from, to), ...otherNotes(from, to)]
}

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

function ofKinds(parts: readonly Part[], kinds: readonly Part['kind'][]): string[] {
  return parts.filter(part => kinds.includes(part.kind)).flatMap(part => part.create)
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

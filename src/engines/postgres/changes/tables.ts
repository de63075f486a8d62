/** What is done with tables, their columns and their place among partitions. */
import { qualified, type Schema, type Table } from '../../../schema/model.ts'
import { changedColumns, rowSecurityChanges, tableOptions } from './columns.ts'
import { absent, byDepth, byName, sameText } from './lookup.ts'
import type { Ground } from './rebuild.ts'
import { mentions, quoteName, quotePath } from './spelling.ts'

export function tableChanges(from: Schema, to: Schema) {
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

export function standalone(table: Table): Table {
  return { ...table, partitionOf: null, columns: table.columns.map(column => ({ ...column, identity: null })) }
}

export function columnsOf(from: Schema, to: Schema) {
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

export function defaultsOn(
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

/** Tables and their columns. */
import { type Column, qualified, type Schema, type Table } from '../../../schema/model.ts'
import { literal, mentionsColumn, quoteName, quotePath } from './spelling.ts'

export interface ColumnPair {
  readonly table: Table
  readonly old: Column
  readonly now: Column
}

/** Columns that both sides have and that differ. */
export function changedColumns(from: Schema, to: Schema): ColumnPair[] {
  const before = new Map(from.tables.map(table => [qualified(table), table]))
  return to.tables.flatMap(table => {
    const columns = new Map((before.get(qualified(table))?.columns ?? []).map(column => [column.name, column]))
    return table.columns.flatMap(now => {
      const old = columns.get(now.name)
      return old && JSON.stringify(old) !== JSON.stringify(now) ? [{ table, old, now }] : []
    })
  })
}

/** Its type or its way of being made differs, so what reads it has to step aside. */
export function isRecast({ old, now }: ColumnPair): boolean {
  return old.type !== now.type || old.collation !== now.collation || old.generated !== now.generated
}

/** A generated column is derived: it is made anew where its expression or what it reads becomes another. */
export function isRemade(pair: ColumnPair, all: readonly ColumnPair[]): boolean {
  const { table, old, now } = pair
  if (old.generated !== now.generated) return now.generated !== null
  return (
    now.generated !== null &&
    all.some(
      other =>
        other.table === table &&
        other !== pair &&
        isRecast(other) &&
        mentionsColumn(now.generated ?? '', other.now.name),
    )
  )
}

export function createTable(table: Table): string {
  const path = quotePath(table)
  const unlogged = table.options.includes('unlogged=true') ? 'unlogged ' : ''
  const options = table.options.filter(option => option !== 'unlogged=true')
  const storage = options.length === 0 ? '' : ` with (${options.join(', ')})`
  const divided = table.partitioning ? ` partition by ${table.partitioning.strategy} (${table.partitioning.key})` : ''
  const parent = table.partitionOf?.parent
  if (parent !== undefined) {
    const at = parent.indexOf('.')
    const of = quotePath({ schema: parent.slice(0, at), name: parent.slice(at + 1) })
    return `create ${unlogged}table ${path} partition of ${of} ${table.partitionOf?.bounds ?? ''}${divided}${storage}`
  }
  const columns = table.columns.map(column => `\n  ${columnDefinition(column)}`)
  return `create ${unlogged}table ${path} (${columns.join(',')}\n)${divided}${storage}`
}

export function columnDefinition(column: Column): string {
  return [
    `${quoteName(column.name)} ${column.type}`,
    column.collation === null ? '' : ` collate ${column.collation}`,
    column.generated === null ? '' : ` generated always as (${column.generated}) stored`,
    column.identity === null ? '' : ` generated ${column.identity} as identity`,
    column.default === null ? '' : ` default ${column.default}`,
    column.nullable ? '' : ' not null',
  ].join('')
}

/** Before the types change: what stands in their way. */
export function columnLoosening({ table, old, now }: ColumnPair): string[] {
  const alter = alterColumn(table, now)
  const dropsDefault = old.default !== null && (old.default !== now.default || old.type !== now.type)
  return [
    ...(old.identity !== null && now.identity === null ? [`${alter} drop identity`] : []),
    ...(dropsDefault ? [`${alter} drop default`] : []),
    ...(old.generated !== null && now.generated === null ? [`${alter} drop expression`] : []),
    ...(!old.nullable && now.nullable && old.identity === null ? [`${alter} drop not null`] : []),
    ...(!old.nullable && now.nullable && old.identity !== null ? [`${alter} drop not null`] : []),
  ]
}

export function columnRecast({ table, old, now }: ColumnPair): string[] {
  if (old.type === now.type && old.collation === now.collation) return []
  const collation = now.collation ?? (old.collation === null ? null : 'pg_catalog."default"')
  const collate = collation === null ? '' : ` collate ${collation}`
  const using = old.type === now.type ? '' : ` using ${quoteName(now.name)}::${now.type}`
  return [`${alterColumn(table, now)} type ${now.type}${collate}${using}`]
}

export function columnTightening({ table, old, now }: ColumnPair): string[] {
  const alter = alterColumn(table, now)
  const gone = old.default !== now.default || old.type !== now.type
  return [
    ...(now.default !== null && gone ? [`${alter} set default ${now.default}`] : []),
    ...(old.nullable && !now.nullable ? [`${alter} set not null`] : []),
    ...identityChange(table, old, now),
  ]
}

function identityChange(table: Table, old: Column, now: Column): string[] {
  if (now.identity === null || old.identity === now.identity) return []
  const alter = alterColumn(table, now)
  if (old.identity !== null) return [`${alter} set generated ${now.identity}`]
  const path = quotePath(table)
  return [
    `${alter} add generated ${now.identity} as identity`,
    `select setval(pg_get_serial_sequence(${literal(path)}, ${literal(now.name)}), coalesce(max(${quoteName(now.name)}), 0) + 1, false) from ${path}`,
  ]
}

export function tableOptions(old: Table, now: Table): string[] {
  const alter = `alter table ${quotePath(now)}`
  const logged = now.options.includes('unlogged=true')
  const turned =
    old.options.includes('unlogged=true') === logged ? [] : [`${alter} set ${logged ? 'unlogged' : 'logged'}`]
  return [...turned, ...optionChanges(alter, old.options, now.options)]
}

/** Storage parameters and options of views. */
export function optionChanges(alter: string, old: readonly string[], now: readonly string[]): string[] {
  const nameOf = (option: string): string => option.split('=')[0] ?? ''
  const real = (options: readonly string[]) => options.filter(option => option !== 'unlogged=true')
  const set = real(now).filter(option => !old.includes(option))
  const names = new Set(now.map(nameOf))
  const reset = real(old)
    .map(nameOf)
    .filter(name => !names.has(name))
  return [
    ...(set.length === 0 ? [] : [`${alter} set (${set.join(', ')})`]),
    ...(reset.length === 0 ? [] : [`${alter} reset (${reset.join(', ')})`]),
  ]
}

export function rowSecurityChanges(old: Table | undefined, now: Table): string[] {
  const alter = `alter table ${quotePath(now)}`
  const { enabled, forced } = now.rowSecurity
  const before = old?.rowSecurity ?? { enabled: false, forced: false }
  return [
    ...(before.enabled === enabled ? [] : [`${alter} ${enabled ? 'enable' : 'disable'} row level security`]),
    ...(before.forced === forced ? [] : [`${alter} ${forced ? '' : 'no '}force row level security`]),
  ]
}

function alterColumn(table: Table, column: Column): string {
  return `alter table ${quotePath(table)} alter column ${quoteName(column.name)}`
}

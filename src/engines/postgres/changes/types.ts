/** Enums, domains and sequences. */
import type { Domain, Enum, Schema, Sequence, Table } from '../../../schema/model.ts'
import { qualified } from '../../../schema/model.ts'
import { literal, mentions, quoteName, quotePath } from './spelling.ts'

/** Enums that cannot become what they shall be by adding values, so a new type takes their place. */
export function rebuiltEnums(from: Schema, to: Schema): Enum[] {
  return to.enums.filter(now => {
    const old = from.enums.find(other => qualified(other) === qualified(now))
    if (!old || JSON.stringify(old.values) === JSON.stringify(now.values)) return false
    const added = now.values.filter(value => !old.values.includes(value))
    const kept = now.values.filter(value => old.values.includes(value))
    // A value that is added cannot be used in the same transaction.
    const used = added.some(value => JSON.stringify([to.tables, to.views]).includes(`${literal(value)}::`))
    return used || JSON.stringify(kept) !== JSON.stringify(old.values)
  })
}

export function addedValues(old: Enum, now: Enum): string[] {
  return now.values.flatMap((value, at) => {
    if (old.values.includes(value)) return []
    const next = now.values.slice(at + 1).find(other => old.values.includes(other))
    return [
      `alter type ${quotePath(now)} add value ${literal(value)}${next === undefined ? '' : ` before ${literal(next)}`}`,
    ]
  })
}

export function createEnum(type: Enum): string {
  return `create type ${quotePath(type)} as enum (${type.values.map(literal).join(', ')})`
}

/** The old type under another name, the new one, and each column turned over; their defaults are gone before and set afterwards. */
export function rebuildEnum(type: Enum, tables: readonly Table[]): string[] {
  const old = { schema: type.schema, name: `${type.name}__before` }
  const columns = tables
    .filter(table => table.partitionOf === null)
    .flatMap(table =>
      table.columns
        .filter(column => mentions(column.type, type))
        .map(column => {
          const list = column.type.endsWith('[]') ? '[]' : ''
          const name = quoteName(column.name)
          return `alter table ${quotePath(table)} alter column ${name} type ${quotePath(type)}${list} using ${name}::text${list}::${quotePath(type)}${list}`
        }),
    )
  return [
    `alter type ${quotePath(type)} rename to ${quoteName(old.name)}`,
    createEnum(type),
    ...columns,
    `drop type ${quotePath(old)}`,
  ]
}

export function createDomain(domain: Domain): string {
  return `create domain ${quotePath(domain)} as ${domain.type}${domain.definition === '' ? '' : ` ${domain.definition}`}`
}

/** Null where the base type differs, which only a new type could mend. */
export function domainChanges(old: Domain, now: Domain): string[] | null {
  if (old.type !== now.type) return null
  if (old.definition === now.definition) return []
  const [before, after] = [readDomain(old.definition), readDomain(now.definition)]
  const alter = `alter domain ${quotePath(now)}`
  return [
    ...(before.default === after.default
      ? []
      : [`${alter} ${after.default === null ? 'drop default' : `set default ${after.default}`}`]),
    ...(before.strict === after.strict ? [] : [`${alter} ${after.strict ? 'set' : 'drop'} not null`]),
    ...before.constraints
      .filter(one => !after.constraints.includes(one))
      .map(one => `${alter} drop constraint ${/^constraint ("(?:[^"]|"")+"|\S+)/.exec(one)?.[1] ?? ''}`),
    ...after.constraints.filter(one => !before.constraints.includes(one)).map(one => `${alter} add ${one}`),
  ]
}

/** `default 'x' not null constraint a CHECK (…) constraint b CHECK (…)`, each part of it optional. */
function readDomain(definition: string) {
  const [head = '', ...constraints] = ` ${definition}`.split(/ (?=constraint (?:"(?:[^"]|"")+"|\S+) CHECK )/)
  const strict = head.endsWith(' not null')
  const start = head.replace(/ not null$/, '').trimStart()
  return { default: start.startsWith('default ') ? start.slice('default '.length) : null, strict, constraints }
}

export function createSequence(sequence: Sequence): string {
  return `create sequence ${quotePath(sequence)} ${sequence.definition}`
}

export function sequenceChanges(old: Sequence, now: Sequence): string[] {
  const cycle = now.definition.endsWith(' cycle') ? '' : ' no cycle'
  return old.definition === now.definition ? [] : [`alter sequence ${quotePath(now)} ${now.definition}${cycle}`]
}

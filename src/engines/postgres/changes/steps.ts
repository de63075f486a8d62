/** What is done with types and sequences. */
import { qualified, type Schema, type Table } from '../../../schema/model.ts'
import { absent, byName } from './lookup.ts'
import { literal, quoteName, quotePath, quoteRole } from './spelling.ts'
import {
  addedValues,
  createDomain,
  createEnum,
  createSequence,
  domainChanges,
  rebuildEnum,
  sequenceChanges,
} from './types.ts'

export function enumSteps(from: Schema, to: Schema, rebuilt: Schema['enums']): string[] {
  return to.enums.flatMap(type => {
    const old = from.enums.find(other => qualified(other) === qualified(type))
    if (!old) return [createEnum(type)]
    return rebuilt.includes(type) ? rebuildEnum(type, kept(from, to)) : addedValues(old, type)
  })
}

export function domainSteps(from: Schema, to: Schema) {
  const made = to.domains.flatMap(domain => {
    const old = from.domains.find(other => qualified(other) === qualified(domain))
    return old ? (domainChanges(old, domain) ?? []) : [createDomain(domain)]
  })
  return { made, dropped: absent(from.domains, to.domains).map(domain => `drop domain if exists ${quotePath(domain)}`) }
}

export function sequenceSteps(from: Schema, to: Schema) {
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
      const role = to.owners?.objects.find(({ object }) => object === `table ${qualified(table)}`)?.role
      return [
        // It has to be the same role's as its table.
        ...(old || role === undefined ? [] : [`alter sequence ${quotePath(now)} owner to ${quoteRole(role)}`]),
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

function kept(from: Schema, to: Schema): Table[] {
  const after = byName(to.tables)
  return from.tables.flatMap(table => {
    const now = after.get(qualified(table))
    const columns = table.columns.filter(column => now?.columns.some(other => other.name === column.name))
    return now ? [{ ...table, columns }] : []
  })
}

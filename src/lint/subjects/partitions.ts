/** Bounds of partitions, as PostgreSQL prints them. */
import { qualified, type Schema, type Table } from '../../schema/model.ts'

export type Bounds =
  | { readonly kind: 'default' }
  | { readonly kind: 'range'; readonly from: readonly string[]; readonly to: readonly string[] }
  | { readonly kind: 'list'; readonly values: readonly string[] }
  | { readonly kind: 'hash'; readonly modulus: number; readonly remainder: number }

export interface Part {
  readonly table: Table
  readonly bounds: Bounds
}

export function partitionsOf(parent: Table, { tables }: Schema): readonly Part[] {
  const name = qualified(parent)
  return tables.flatMap(table => {
    const bounds = table.partitionOf?.parent === name ? readBounds(table.partitionOf.bounds) : null
    return bounds ? [{ table, bounds }] : []
  })
}

/** Null for what no version of PostgreSQL up to 18 prints. */
export function readBounds(printed: string): Bounds | null {
  if (printed === 'DEFAULT') return { kind: 'default' }
  const range = /^FOR VALUES FROM \((.*)\) TO \((.*)\)$/s.exec(printed)
  if (range) return { kind: 'range', from: values(range[1] ?? ''), to: values(range[2] ?? '') }
  const list = /^FOR VALUES IN \((.*)\)$/s.exec(printed)
  if (list) return { kind: 'list', values: values(list[1] ?? '') }
  const hash = /^FOR VALUES WITH \(modulus (\d+), remainder (\d+)\)$/.exec(printed)
  return hash ? { kind: 'hash', modulus: Number(hash[1]), remainder: Number(hash[2]) } : null
}

/** The columns of the partition key; an expression stays as it is printed. */
export function keyColumns(parent: Table): readonly string[] {
  return (parent.partitioning?.key ?? '').split(/,(?![^(]*\))/).map(part =>
    part
      .trim()
      .replace(/ COLLATE .*$/, '')
      .replace(/^"(.*)"$/, '$1')
      .replace(/^([\w$]+) [\w$.]+$/, '$1'),
  )
}

/** Days between the bounds of a partition by time; null for anything else. */
export function spanDays(bounds: Bounds): number | null {
  if (bounds.kind !== 'range' || bounds.from.length !== 1) return null
  const [from, to] = [instant(bounds.from[0] ?? ''), instant(bounds.to[0] ?? '')]
  return from === null || to === null ? null : (to - from) / 86_400_000
}

/** Milliseconds of a printed date or time; where the zone is left out, any zone gives the same span. */
export function instant(printed: string): number | null {
  const match = /^'(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d)?)?)?'$/.exec(printed)
  if (!match) return null
  const zone = match[3] === undefined ? 'Z' : match[3].includes(':') ? match[3] : `${match[3]}:00`
  const time = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}${zone}`)
  return Number.isNaN(time) ? null : time
}

/** Splits at commas outside of quotes. */
function values(printed: string): string[] {
  return (printed.match(/(?:'(?:[^']|'')*'|[^,'])+/g) ?? []).map(value => value.trim())
}

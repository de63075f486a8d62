/** Lists by what their items hold: in order, in groups, in parts. */
import { isEqual, orderOf } from './operators.ts'
import {
  isUndefined,
  itemsOf,
  kindOf,
  type Namespace,
  printed,
  toValue,
  tuple,
  undefinedValue,
  type Value,
  wrong,
} from './values.ts'

/** A path such as `config.tags.0` into whatever it is. */
export function attributeAt(value: Value, path: string): Value {
  let at = value
  for (const step of path.split('.')) {
    const index = /^\d+$/.test(step) ? Number(step) : undefined
    if (at instanceof Map) at = at.get(step) ?? (at.has(step) ? null : undefinedValue(path))
    else if (index !== undefined && !isUndefined(at)) at = itemsOf(at)[index] ?? undefinedValue(path)
    else if (kindOf(at) === 'namespace') at = (at as Namespace).members.get(step) ?? undefinedValue(path)
    else if (typeof at === 'object' && at !== null && 'kind' in at && at.kind === 'relation')
      at = toValue(
        { schema: at.schema, identifier: at.identifier, name: at.identifier, ...at.attributes }[step] ?? null,
      )
    else return undefinedValue(path)
  }
  return at
}

export function keyOf(attribute: Value | undefined, fallback?: Value): (item: Value) => Value {
  if (attribute === undefined || attribute === null) return item => item
  return item => {
    const found = attributeAt(item, printed(attribute))
    return isUndefined(found) && fallback !== undefined ? fallback : found
  }
}

/** Several with commas. */
export function keysOf(attribute: Value | undefined): (item: Value) => Value {
  if (typeof attribute !== 'string' || !attribute.includes(',')) return keyOf(attribute)
  const keys = attribute.split(',').map(name => keyOf(name.trim()))
  return item => keys.map(key => key(item))
}

export function folded(value: Value, isSensitive: boolean): Value {
  if (typeof value === 'string') return isSensitive ? value : value.toLowerCase()
  return Array.isArray(value) ? value.map(item => folded(item, isSensitive)) : value
}

export function sorted(
  items: readonly Value[],
  key: (item: Value) => Value,
  isSensitive: boolean,
  isReverse: boolean,
): Value[] {
  const sign = isReverse ? -1 : 1
  return items.toSorted((a, b) => sign * orderOf(folded(key(a), isSensitive), folded(key(b), isSensitive)))
}

export function grouped(items: readonly Value[], key: (item: Value) => Value, isSensitive: boolean): Value[] {
  const groups: { key: Value; items: Value[] }[] = []
  for (const item of sorted(items, key, isSensitive, false)) {
    const last = groups.at(-1)
    if (last && isEqual(folded(last.key, isSensitive), folded(key(item), isSensitive))) last.items.push(item)
    else groups.push({ key: key(item), items: [item] })
  }
  return groups.map(group => groupOf(group.key, group.items))
}

/** A pair of a key and its items that can be asked by name as well. */
function groupOf(key: Value, items: Value[]): Value {
  return tuple(
    [key, items],
    new Map<string, Value>([
      ['grouper', key],
      ['list', items],
    ]),
  )
}

export function batches(items: readonly Value[], size: number, fill: Value | undefined): Value[] {
  if (size < 1) throw wrong('A batch has one item at least.')
  const all: Value[][] = []
  for (let at = 0; at < items.length; at += size) all.push(items.slice(at, at + size))
  const last = all.at(-1)
  if (last && fill !== undefined && fill !== null) last.push(...Array.from({ length: size - last.length }, () => fill))
  return all
}

export function sliced(items: readonly Value[], slices: number, fill: Value | undefined): Value[] {
  const size = Math.floor(items.length / slices)
  const longer = items.length % slices
  return Array.from({ length: slices }, (_, index) => {
    const from = index * size + Math.min(index, longer)
    const part = items.slice(from, from + size + (index < longer ? 1 : 0))
    return fill !== undefined && fill !== null && index >= longer && longer > 0 ? [...part, fill] : part
  })
}

/** What stands behind a dot and between brackets. */
import { methodOf } from './methods.ts'
import { numberOf } from './operators.ts'
import {
  type Callable,
  itemsOf,
  kindOf,
  type Namespace,
  printed,
  strictName,
  toValue,
  tuple,
  type Tuple,
  undefinedValue,
  type Value,
  wrong,
} from './values.ts'

/** What stands behind a dot; undefined where there is nothing. Items of a mapping come after its methods, as in Python. */
export function memberOf(object: Value, name: string): Value | undefined {
  const kind = kindOf(object)
  if (kind === 'function') return (object as Callable).members?.get(name)
  if (kind === 'namespace') return (object as Namespace).members.get(name)
  if (kind === 'tuple' && (object as Tuple).names?.has(name)) return (object as Tuple).names?.get(name)
  if (typeof object === 'object' && object !== null && 'kind' in object && object.kind === 'relation')
    return relationMember(object, name)
  const isNames = object instanceof Map && functionNames(object).length > 0
  const method = isNames ? undefined : methodOf(object, name)
  return method ?? (object instanceof Map ? object.get(name) : undefined)
}

function relationMember(relation: Extract<Value, { kind: 'relation' }>, name: string): Value | undefined {
  const { schema, identifier, attributes } = relation
  const given = attributes?.[name]
  if (given !== undefined) return toValue(given)
  if (name === 'schema') return schema
  return name === 'identifier' || name === 'name' || name === 'table' ? identifier : undefined
}

/** What can be asked of a thing of which an unknown member is a mistake; empty for all others. */
export function knownMembers(value: Value): string[] {
  if (strictName(value) !== undefined) return itemsOf(value).map(printed)
  if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'relation')
    return ['schema', 'identifier', 'name', 'table', ...Object.keys(value.attributes ?? {})]
  return functionNames(value)
}

/** A mapping of functions is a namespace, of which an unknown member is a mistake; of data it is a question. */
function functionNames(value: Value): string[] {
  const members = value instanceof Map ? value : kindOf(value) === 'function' ? (value as Callable).members : undefined
  if (!members || members.size === 0 || [...members.values()].some(item => kindOf(item) !== 'function')) return []
  return [...members.keys()].map(printed)
}

export function itemOf(object: Value, index: Value): Value {
  if (object instanceof Map) {
    const inside = object.get(index) ?? (object.has(index) ? null : undefined)
    if (inside !== undefined) return inside
  }
  const kind = kindOf(object)
  if (typeof index === 'number' && (kind === 'text' || kind === 'list' || kind === 'tuple')) {
    const items = itemsOf(object)
    return (
      items[index < 0 ? items.length + index : index] ?? (isHole(items, index) ? null : undefinedValue(`item ${index}`))
    )
  }
  if (kind === 'undefined') return object
  const found = typeof index === 'string' ? memberOf(object, index) : undefined
  return found ?? undefinedValue(printed(index))
}

/** None is an item as well. */
function isHole(items: readonly Value[], index: number): boolean {
  const at = index < 0 ? items.length + index : index
  return at >= 0 && at < items.length
}

export function sliceOf(object: Value, bounds: readonly (Value | null)[]): Value {
  const items = itemsOf(object)
  const number = (value: Value | null | undefined) =>
    value === null || value === undefined ? undefined : Number(numberOf(value) ?? Number.NaN)
  const step = number(bounds[2]) ?? 1
  if (!Number.isInteger(step) || step === 0) throw wrong('A slice goes by a whole number that is not 0.')
  const limit = (at: number | undefined, fallback: number) => {
    if (at === undefined) return fallback
    const from = at < 0 ? at + items.length : at
    return step > 0 ? Math.min(Math.max(from, 0), items.length) : Math.min(Math.max(from, -1), items.length - 1)
  }
  const start = limit(number(bounds[0]), step > 0 ? 0 : items.length - 1)
  const end = limit(number(bounds[1]), step > 0 ? items.length : -1)
  const taken: Value[] = []
  for (let at = start; step > 0 ? at < end : at > end; at += step) taken.push(items[at] ?? null)
  if (typeof object === 'string') return taken.map(printed).join('')
  return kindOf(object) === 'tuple' ? tuple(taken) : taken
}

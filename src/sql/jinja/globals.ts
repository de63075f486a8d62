/** The functions that every template has. */
import { createHash } from 'node:crypto'
import { asJson } from './json.ts'
import type { TemplateValue } from './model.ts'
import { compared, isEqual, numberOf } from './operators.ts'
import {
  type Callable,
  callable,
  described,
  type Given,
  itemsOf,
  namespace,
  printed,
  toValue,
  tuple,
  undefinedValue,
  type Value,
  wrong,
} from './values.ts'

export const globals: ReadonlyMap<string, Value> = new Map<string, Value>([
  ['range', callable('range', range)],
  ['dict', callable('dict', mapping)],
  ['namespace', callable('namespace', given => namespace(mapping(given)))],
  ['cycler', callable('cycler', ({ positional }) => cycler(positional))],
  [
    'tojson',
    callable('tojson', ({ positional: [value = null], named }) =>
      asJson(value, { indent: 0, sorted: named.get('sort_keys') === true }),
    ),
  ],
  ['fromjson', callable('fromjson', ({ positional: [text = null, fallback] }) => read(text, fallback))],
  ['set', callable('set', ({ positional: [many = null] }) => unique(many))],
  ['set_strict', callable('set_strict', ({ positional: [many = null] }) => unique(many))],
  ['zip', callable('zip', ({ positional }) => zipped(positional))],
  ['zip_strict', callable('zip_strict', ({ positional }) => zipped(positional))],
  [
    'local_md5',
    callable('local_md5', ({ positional: [text = ''] }) => createHash('md5').update(printed(text)).digest('hex')),
  ],
  ['joiner', callable('joiner', ({ positional: [separator = ', '] }) => joiner(separator))],
])

function range({ positional }: Given): Value[] {
  const [first = 0, second, third = 1] = positional.map(value => {
    const number = numberOf(value)
    if (number === undefined || !Number.isInteger(Number(number)))
      throw wrong(`"range" needs whole numbers and was given ${described(value)}.`)
    return Number(number)
  })
  if (positional.length === 0) throw wrong('"range" needs a number.')
  const [from, until] = second === undefined ? [0, first] : [first, second]
  if (third === 0) throw wrong('"range" goes by a number that is not 0.')
  const size = Math.max(0, Math.ceil((until - from) / third))
  if (size > 100_000) throw wrong(`"range" would have ${size} items; 100000 are the most.`)
  return Array.from({ length: size }, (_, index) => from + index * third)
}

function mapping({ positional: [first], named }: Given): Map<Value, Value> {
  const entries = new Map<Value, Value>(first instanceof Map ? first : [])
  if (first !== undefined && !(first instanceof Map))
    for (const pair of itemsOf(first)) entries.set(itemsOf(pair)[0] ?? null, itemsOf(pair)[1] ?? null)
  for (const [name, value] of named) entries.set(name, value)
  return entries
}

function read(text: Value, fallback: Value | undefined): Value {
  try {
    return toValue(JSON.parse(printed(text)) as TemplateValue)
  } catch {
    if (fallback !== undefined) return fallback
    throw wrong('The text given to "fromjson" is not JSON.')
  }
}

/** Each item once, in the order in which they come first. */
function unique(many: Value): Value[] {
  const items: Value[] = []
  for (const item of itemsOf(many)) if (!items.some(other => isEqual(other, item))) items.push(item)
  return items
}

function zipped(many: readonly Value[]): Value[] {
  const all = many.map(itemsOf)
  const length = all.length === 0 ? 0 : Math.min(...all.map(items => items.length))
  return Array.from({ length }, (_, index) => tuple(all.map(items => items[index] ?? null)))
}

function cycler(items: readonly Value[]): Value {
  let at = 0
  const current = () => items[at] ?? null
  return new Map<Value, Value>([
    [
      'next',
      callable('next', () => {
        const value = current()
        at = (at + 1) % items.length
        return value
      }),
    ],
    ['reset', callable('reset', () => ((at = 0), null))],
  ])
}

function joiner(separator: Value): Value {
  let isFirst = true
  return callable('joiner', () => {
    const before = isFirst ? '' : separator
    isFirst = false
    return before
  })
}

export interface Looping {
  readonly items: readonly Value[]
  readonly index: number
  readonly depth: number
  /** The loop again over other items, for one that is recursive. */
  readonly again: Callable['call'] | null
  /** What `loop.changed()` was given last. */
  readonly last: { values: readonly Value[] | null }
}

/** The members of `loop`. */
export function loopValue({ items, index, depth, again, last }: Looping): Value {
  const { length } = items
  const members = new Map<Value, Value>([
    ['index', index + 1],
    ['index0', index],
    ['revindex', length - index],
    ['revindex0', length - index - 1],
    ['first', index === 0],
    ['last', index === length - 1],
    ['length', length],
    ['depth', depth],
    ['depth0', depth - 1],
    ['previtem', index === 0 ? undefinedValue('loop.previtem') : (items[index - 1] ?? null)],
    ['nextitem', index === length - 1 ? undefinedValue('loop.nextitem') : (items[index + 1] ?? null)],
    ['cycle', callable('cycle', ({ positional }) => positional[index % positional.length] ?? null)],
    [
      'changed',
      callable('changed', ({ positional }) => {
        const isSame = last.values !== null && compared('==', tuple([...last.values]), tuple([...positional]))
        last.values = positional
        return !isSame
      }),
    ],
  ])
  const call =
    again ??
    (() => {
      throw wrong('"loop" is called, and its block is not recursive.', 'Write {% for … in … recursive %}.')
    })
  return callable('loop', call, members)
}

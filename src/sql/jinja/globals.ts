/** The functions that every template has. */
import { compared, numberOf } from './operators.ts'
import {
  type Callable,
  callable,
  described,
  type Given,
  itemsOf,
  namespace,
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

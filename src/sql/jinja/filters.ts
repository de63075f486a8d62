/** What stands behind a `|`. */
import { percentFormat } from './format.ts'
import { asJson } from './json.ts'
import { attributeAt, batches, folded, grouped, keyOf, keysOf, sliced, sorted } from './lists.ts'
import { capitalized, centered } from './methods.ts'
import { arithmetic, isEqual, numberOf } from './operators.ts'
import { tests } from './tests.ts'
import {
  described,
  float,
  type Given,
  isFloat,
  isTrue,
  isUndefined,
  itemsOf,
  printed,
  spelled,
  tuple,
  undefinedValue,
  type Value,
  whole,
  wrong,
} from './values.ts'

type Filter = (value: Value, given: Given) => Value

/** A filter whose arguments have these names. */
const filter =
  (names: string, answer: (value: Value, args: Readonly<Record<string, Value | undefined>>) => Value): Filter =>
  (value, { positional, named }) => {
    const known = names.split(' ').filter(Boolean)
    const args: Record<string, Value> = {}
    if (positional.length > known.length)
      throw wrong(`The filter takes ${known.length} arguments and was given ${positional.length}.`)
    for (const [index, item] of positional.entries()) args[known[index] ?? ''] = item
    for (const [name, item] of named) {
      if (!known.includes(name))
        throw wrong(`The filter has no argument "${name}".`, `It has: ${known.join(', ') || 'none'}.`)
      args[name] = item
    }
    return answer(value, args)
  }

const count = (value: Value | undefined, fallback: number) =>
  Number(value === undefined ? fallback : (numberOf(value) ?? fallback))
const text = (value: Value | undefined, fallback = '') => (value === undefined ? fallback : printed(value))
const isYes = (value: Value | undefined, fallback = false) => (value === undefined ? fallback : isTrue(value))

export const filters: Readonly<Record<string, Filter>> = {
  abs: filter('', value => (isFloat(value) ? float(Math.abs(value.value)) : whole(absolute(value)))),
  attr: filter('name', (value, { name }) => attributeAt(value, text(name))),
  batch: filter('linecount fill_with', (value, { linecount, fill_with: fill }) =>
    batches(itemsOf(value), count(linecount, 1), fill),
  ),
  capitalize: filter('', value => capitalized(printed(value))),
  center: filter('width', (value, { width }) => centered(printed(value), count(width, 80))),
  count: filter('', lengthOf),
  length: filter('', lengthOf),
  d: filter('default_value boolean', orDefault),
  default: filter('default_value boolean', orDefault),
  dictsort: filter('case_sensitive by reverse', (value, { case_sensitive: sensitive, by, reverse }) => {
    const at = text(by, 'key') === 'value' ? 1 : 0
    const pairs = pairsOf(value).map(pair => tuple(pair))
    return sorted(pairs, pair => itemsOf(pair)[at] ?? null, isYes(sensitive), isYes(reverse))
  }),
  e: filter('', value => escaped(printed(value))),
  escape: filter('', value => escaped(printed(value))),
  first: filter('', value => itemsOf(value)[0] ?? undefinedValue('the first item')),
  float: filter('default', (value, { default: fallback = float(0) }) => toFloat(value) ?? fallback),
  format: (value, { positional, named }) =>
    percentFormat(printed(value), named.size > 0 ? new Map<Value, Value>(named) : tuple([...positional])),
  forceescape: filter('', value => escaped(printed(value))),
  groupby: filter(
    'attribute default case_sensitive',
    (value, { attribute, default: fallback, case_sensitive: sensitive }) =>
      grouped(itemsOf(value), keyOf(attribute, fallback), isYes(sensitive)),
  ),
  indent: filter('width first blank', (value, { width, first, blank }) => {
    const pad = typeof width === 'string' ? width : ' '.repeat(count(width, 4))
    return printed(value)
      .split('\n')
      .map((line, index) =>
        (index === 0 && !isYes(first)) || (line === '' && index > 0 && !isYes(blank)) ? line : pad + line,
      )
      .join('\n')
  }),
  int: filter(
    'default base',
    (value, { default: fallback = 0, base }) => toInteger(value, count(base, 10)) ?? fallback,
  ),
  items: filter('', value => pairsOf(value).map(pair => tuple(pair))),
  join: filter('d attribute', (value, { d, attribute }) =>
    itemsOf(value).map(keyOf(attribute)).map(printed).join(text(d)),
  ),
  last: filter('', value => itemsOf(value).at(-1) ?? undefinedValue('the last item')),
  list: filter('', value => [...itemsOf(value)]),
  lower: filter('', value => printed(value).toLowerCase()),
  map: (value, { positional: [name, ...rest], named }) => {
    if (name === undefined) {
      const attribute = named.get('attribute')
      if (attribute === undefined) throw wrong('The filter "map" needs the name of a filter, or attribute=….')
      return itemsOf(value).map(keyOf(attribute, named.get('default')))
    }
    const change = filters[printed(name)]
    if (!change) throw wrong(`The filter "${printed(name)}" is not known here.`)
    return itemsOf(value).map(item => change(item, { positional: rest, named }))
  },
  max: filter(
    'case_sensitive attribute',
    (value, { case_sensitive: sensitive, attribute }) =>
      sorted(itemsOf(value), keyOf(attribute), isYes(sensitive), true)[0] ?? undefinedValue('the greatest item'),
  ),
  min: filter(
    'case_sensitive attribute',
    (value, { case_sensitive: sensitive, attribute }) =>
      sorted(itemsOf(value), keyOf(attribute), isYes(sensitive), false)[0] ?? undefinedValue('the least item'),
  ),
  pprint: filter('verbose', spelled),
  reject: (value, given) => chosen(value, given, 0, false),
  rejectattr: (value, given) => chosen(value, given, 1, false),
  replace: filter('old new count', (value, { old, new: to, count: times }) => {
    const found = printed(value).split(text(old))
    if (times === undefined || count(times, -1) < 0) return found.join(text(to))
    const many = count(times, 0)
    return (
      found.slice(0, many + 1).join(text(to)) +
      found
        .slice(many + 1)
        .map(part => text(old) + part)
        .join('')
    )
  }),
  reverse: filter('', value =>
    typeof value === 'string' ? Array.from(value).reverse().join('') : [...itemsOf(value)].reverse(),
  ),
  round: filter('precision method', (value, { precision, method }) =>
    rounded(value, count(precision, 0), text(method, 'common')),
  ),
  safe: filter('', value => value),
  select: (value, given) => chosen(value, given, 0, true),
  selectattr: (value, given) => chosen(value, given, 1, true),
  slice: filter('slices fill_with', (value, { slices, fill_with: fill }) =>
    sliced(itemsOf(value), count(slices, 1), fill),
  ),
  sort: filter('reverse case_sensitive attribute', (value, { reverse, case_sensitive: sensitive, attribute }) =>
    sorted(itemsOf(value), keysOf(attribute), isYes(sensitive), isYes(reverse)),
  ),
  string: filter('', printed),
  sum: filter('attribute start', (value, { attribute, start = 0 }) =>
    itemsOf(value)
      .map(keyOf(attribute))
      .reduce((sum, item) => arithmetic('+', sum, item), start),
  ),
  title: filter('', value => printed(value).replace(/[^-\s({[<]+/g, capitalized)),
  tojson: filter('indent', (value, { indent }) => asJson(value, { indent: count(indent, 0), sorted: true })),
  trim: filter('chars', (value, { chars }) => {
    const set = chars === undefined ? undefined : new Set(printed(chars))
    const letters = Array.from(printed(value))
    const keeps = (letter: string) => (set ? !set.has(letter) : letter.trim() !== '')
    const from = letters.findIndex(keeps)
    return from < 0 ? '' : letters.slice(from, letters.findLastIndex(keeps) + 1).join('')
  }),
  truncate: filter('length killwords end leeway', (value, { length, killwords, end, leeway }) =>
    truncated(printed(value), count(length, 255), isYes(killwords), text(end, '...'), count(leeway, 5)),
  ),
  unique: filter('case_sensitive attribute', (value, { case_sensitive: sensitive, attribute }) => {
    const key = keyOf(attribute)
    const seen: Value[] = []
    return itemsOf(value).filter(item => {
      const one = folded(key(item), isYes(sensitive))
      if (seen.some(other => isEqual(other, one))) return false
      seen.push(one)
      return true
    })
  }),
  upper: filter('', value => printed(value).toUpperCase()),
  urlencode: filter('', value => encodeURIComponent(printed(value)).replaceAll('%2F', '/')),
  wordcount: filter('', value => (printed(value).match(/\w+/g) ?? []).length),
  // dbt's own, which say of what kind a setting is.
  as_text: filter('', value => value),
  as_native: filter('', value => value),
  as_bool: filter('', value => value === true || value === 'true' || value === 'True'),
  as_number: filter('', value => toInteger(value, 10) ?? toFloat(value) ?? value),
}

function orDefault(
  value: Value,
  { default_value: fallback = '', boolean }: Readonly<Record<string, Value | undefined>>,
): Value {
  return isUndefined(value) || (isYes(boolean) && !isTrue(value)) ? fallback : value
}

function lengthOf(value: Value): Value {
  return itemsOf(value).length
}

function absolute(value: Value): bigint {
  const number = numberOf(value)
  if (number === undefined) throw wrong(`${described(value)} has no size.`)
  const exact = BigInt(number)
  return exact < 0n ? -exact : exact
}

function escaped(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('>', '&gt;')
    .replaceAll('<', '&lt;')
    .replaceAll("'", '&#39;')
    .replaceAll('"', '&#34;')
}

function toFloat(value: Value): Value | undefined {
  const number =
    typeof value === 'string' && /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)
      ? Number(value)
      : numberOf(value)
  return number === undefined ? undefined : float(Number(number))
}

function toInteger(value: Value, base: number): Value | undefined {
  if (typeof value === 'string') {
    const digits = value.trim().replaceAll('_', '')
    if (base === 10 && /^[-+]?\d+$/.test(digits)) return whole(BigInt(digits.replace(/^\+/, '')))
    if (base !== 10) return Number.isNaN(Number.parseInt(digits, base)) ? undefined : Number.parseInt(digits, base)
    const number = toFloat(value)
    return number !== undefined && isFloat(number) ? whole(BigInt(Math.trunc(number.value))) : undefined
  }
  const number = numberOf(value)
  if (number === undefined || !Number.isFinite(Number(number))) return undefined
  return typeof number === 'bigint' ? number : whole(BigInt(Math.trunc(number)))
}

function rounded(value: Value, precision: number, method: string): Value {
  const number = numberOf(value)
  if (number === undefined) throw wrong(`${described(value)} cannot be rounded.`)
  if (method === 'common' && !isFloat(value) && precision >= 0) return number
  const factor = 10 ** precision
  const scaled = Number(number) * factor
  if (method === 'floor') return float(Math.floor(scaled) / factor)
  if (method === 'ceil') return float(Math.ceil(scaled) / factor)
  if (method !== 'common') throw wrong(`There is no rounding "${method}".`, 'Write common, ceil or floor.')
  // A half goes to the even neighbour.
  const isHalf = Math.abs(scaled % 1) === 0.5
  return float((isHalf ? 2 * Math.round(scaled / 2) : Math.round(scaled)) / factor)
}

function pairsOf(value: Value): Value[][] {
  if (value instanceof Map) return [...value]
  if (isUndefined(value)) return []
  throw wrong(`${described(value)} is no mapping.`)
}

function chosen(value: Value, { positional }: Given, skip: 0 | 1, keeps: boolean): Value {
  const [attribute] = positional
  if (skip === 1 && attribute === undefined) throw wrong('The filter needs the name of an attribute.')
  const [name, ...args] = positional.slice(skip)
  const key = skip === 1 ? keyOf(attribute) : (item: Value) => item
  const test = name === undefined ? isTrue : tests[printed(name)]
  if (!test)
    throw wrong(`The test "${printed(name ?? null)}" is not known here.`, `Known: ${Object.keys(tests).join(', ')}.`)
  return itemsOf(value).filter(item => test(key(item), args) === keeps)
}

function truncated(value: string, length: number, kills: boolean, end: string, leeway: number): string {
  if (value.length <= length + leeway) return value
  const cut = value.slice(0, length - end.length)
  return `${kills ? cut : (/^([^]*) [^ ]*$/.exec(cut)?.[1] ?? cut)}${end}`
}

/** The methods of texts, lists, tuples and mappings. */
import { braceFormat } from './format.ts'
import { isEqual, numberOf, orderOf } from './operators.ts'
import {
  type Callable,
  callable,
  described,
  type Given,
  isTrue,
  itemsOf,
  kindOf,
  printed,
  tuple,
  type Value,
  wrong,
} from './values.ts'

type Method<T> = (self: T, args: readonly Value[], named: Given['named']) => Value

/** The method of that name; undefined where there is none. */
export function methodOf(object: Value, name: string): Callable | undefined {
  if (typeof object === 'string') return bound(object, name, texts)
  if (Array.isArray(object)) return bound(object, name, lists)
  if (object instanceof Map) return bound(object, name, mappings)
  return kindOf(object) === 'tuple' ? bound(itemsOf(object), name, { count: listsCount, index: listsIndex }) : undefined
}

function bound<T>(self: T, name: string, methods: Readonly<Record<string, Method<T>>>): Callable | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined
  return method && callable(name, ({ positional, named }) => method(self, positional, named))
}

const word = (value: Value | undefined, fallback = ''): string =>
  value === undefined || value === null ? fallback : printed(value)
const count = (value: Value | undefined, fallback: number): number =>
  Number(value === undefined ? fallback : (numberOf(value) ?? fallback))

const texts: Readonly<Record<string, Method<string>>> = {
  upper: text => text.toUpperCase(),
  lower: text => text.toLowerCase(),
  casefold: text => text.toLowerCase(),
  capitalize: text => capitalized(text),
  title: text => titled(text),
  swapcase: text =>
    Array.from(text)
      .map(letter => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()))
      .join(''),
  strip: (text, [letters]) => stripped(text, letters, 'both'),
  lstrip: (text, [letters]) => stripped(text, letters, 'start'),
  rstrip: (text, [letters]) => stripped(text, letters, 'end'),
  removeprefix: (text, [prefix]) => (text.startsWith(word(prefix)) ? text.slice(word(prefix).length) : text),
  removesuffix: (text, [suffix]) =>
    word(suffix) !== '' && text.endsWith(word(suffix)) ? text.slice(0, -word(suffix).length) : text,
  startswith: (text, [start]) => anyOf(start, one => text.startsWith(one)),
  endswith: (text, [end]) => anyOf(end, one => text.endsWith(one)),
  find: (text, [part, from]) => text.indexOf(word(part), count(from, 0)),
  rfind: (text, [part]) => text.lastIndexOf(word(part)),
  index: (text, [part]) => found(text.indexOf(word(part)), part),
  rindex: (text, [part]) => found(text.lastIndexOf(word(part)), part),
  count: (text, [part]) => text.split(word(part)).length - 1,
  replace: (text, [from, to, times]) => replaced(text, word(from), word(to), count(times, -1)),
  split: (text, [by, times], named) => split(text, by ?? named.get('sep'), count(times ?? named.get('maxsplit'), -1)),
  rsplit: (text, [by, times], named) =>
    splitFromEnd(text, by ?? named.get('sep'), count(times ?? named.get('maxsplit'), -1)),
  splitlines: text => text.split(/\r\n|\r|\n/).filter((line, index, all) => line !== '' || index < all.length - 1),
  partition: (text, [by]) => parted(text, word(by), text.indexOf(word(by)), 'start'),
  rpartition: (text, [by]) => parted(text, word(by), text.lastIndexOf(word(by)), 'end'),
  join: (text, [many]) =>
    itemsOf(many ?? null)
      .map(joinable)
      .join(text),
  format: (text, positional, named) => braceFormat(text, positional, named),
  ljust: (text, [width, fill]) => text.padEnd(count(width, 0), word(fill, ' ')),
  rjust: (text, [width, fill]) => text.padStart(count(width, 0), word(fill, ' ')),
  center: (text, [width, fill]) => centered(text, count(width, 0), word(fill, ' ')),
  zfill: (text, [width]) =>
    /^[+-]/.test(text)
      ? text.charAt(0) + text.slice(1).padStart(count(width, 0) - 1, '0')
      : text.padStart(count(width, 0), '0'),
  expandtabs: (text, [size]) => text.replaceAll('\t', ' '.repeat(count(size, 8))),
  encode: text => text,
  isalpha: text => /^\p{L}+$/u.test(text),
  isalnum: text => /^[\p{L}\p{N}]+$/u.test(text),
  isdigit: text => /^\p{Nd}+$/u.test(text),
  isdecimal: text => /^\p{Nd}+$/u.test(text),
  isnumeric: text => /^\p{N}+$/u.test(text),
  isspace: text => /^\s+$/.test(text),
  isupper: text => text !== text.toLowerCase() && text === text.toUpperCase(),
  islower: text => text !== text.toUpperCase() && text === text.toLowerCase(),
  istitle: text => text !== '' && text === titled(text),
  isidentifier: text => /^[\p{L}_][\p{L}\p{N}_]*$/u.test(text),
}

export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()
}

function titled(text: string): string {
  return text.replace(/\p{L}+/gu, capitalized)
}

export function centered(text: string, width: number, fill = ' '): string {
  const missing = Math.max(0, width - text.length)
  const left = Math.floor(missing / 2) + (missing & width & 1)
  return fill.repeat(left) + text + fill.repeat(missing - left)
}

function stripped(text: string, letters: Value | undefined, side: 'both' | 'start' | 'end'): string {
  if (letters === undefined || letters === null) {
    if (side === 'both') return text.trim()
    return side === 'start' ? text.trimStart() : text.trimEnd()
  }
  const set = new Set(printed(letters))
  const kept = Array.from(text).map(letter => !set.has(letter))
  const from = side === 'end' ? 0 : kept.indexOf(true)
  const until = side === 'start' ? kept.length : kept.lastIndexOf(true) + 1
  return from < 0 ? '' : Array.from(text).slice(from, until).join('')
}

function anyOf(given: Value | undefined, test: (text: string) => boolean): boolean {
  return kindOf(given ?? null) === 'tuple' ? itemsOf(given ?? null).some(one => test(printed(one))) : test(word(given))
}

function found(at: number, part: Value | undefined): number {
  if (at < 0) throw wrong(`The text does not hold "${word(part)}".`)
  return at
}

function replaced(text: string, from: string, to: string, times: number): string {
  if (times < 0) return text.replaceAll(from, () => to)
  let rest = text
  let done = ''
  for (let left = times; left > 0; left--) {
    const at = rest.indexOf(from)
    if (at < 0 || from === '') break
    done += rest.slice(0, at) + to
    rest = rest.slice(at + from.length)
  }
  return done + rest
}

function split(text: string, by: Value | undefined, times: number): Value[] {
  if (by === undefined || by === null) {
    const words = text.trim() === '' ? [] : text.trim().split(/\s+/)
    if (times < 0 || words.length <= times) return words
    const rest = new RegExp(`^(?:\\S+\\s+){${times}}`).exec(text.trimStart())?.[0] ?? ''
    return [...words.slice(0, times), text.trimStart().slice(rest.length)]
  }
  if (by === '') throw wrong('A text is not split by nothing.')
  const parts = text.split(printed(by))
  return times < 0 || parts.length <= times ? parts : [...parts.slice(0, times), parts.slice(times).join(printed(by))]
}

function splitFromEnd(text: string, by: Value | undefined, times: number): Value[] {
  const parts = split(text, by, -1).map(printed)
  if (times < 0 || parts.length <= times + 1) return parts
  const head = parts.slice(0, parts.length - times)
  return [head.join(by === undefined || by === null ? ' ' : printed(by)), ...parts.slice(parts.length - times)]
}

function parted(text: string, by: string, at: number, side: 'start' | 'end'): Value {
  if (at < 0) return tuple(side === 'start' ? [text, '', ''] : ['', '', text])
  return tuple([text.slice(0, at), by, text.slice(at + by.length)])
}

function joinable(item: Value): string {
  if (typeof item !== 'string' && kindOf(item) !== 'relation')
    throw wrong(`${described(item)} cannot be joined as a text.`, 'Write list | join(…), which takes everything.')
  return printed(item)
}

const listsCount: Method<Value[]> = (items, [item = null]) => items.filter(one => isEqual(one, item)).length
const listsIndex: Method<Value[]> = (items, [item = null]) => {
  const at = items.findIndex(one => isEqual(one, item))
  if (at < 0) throw wrong(`The list does not hold ${described(item)} like this.`)
  return at
}

const lists: Readonly<Record<string, Method<Value[]>>> = {
  append: (items, [item = null]) => (items.push(item), null),
  extend: (items, [more = null]) => (items.push(...itemsOf(more)), null),
  insert: (items, [at, item = null]) => (items.splice(count(at, 0), 0, item), null),
  remove: (items, args, named) => (items.splice(Number(listsIndex(items, args, named)), 1), null),
  pop: (items, [at]) => {
    if (items.length === 0) throw wrong('Nothing can be taken out of an empty list.')
    return items.splice(count(at, -1), 1)[0] ?? null
  },
  clear: items => ((items.length = 0), null),
  copy: items => [...items],
  reverse: items => (items.reverse(), null),
  sort: (items, _, named) => {
    items.sort(orderOf)
    if (isTrue(named.get('reverse') ?? false)) items.reverse()
    return null
  },
  count: listsCount,
  index: listsIndex,
}

const mappings: Readonly<Record<string, Method<Map<Value, Value>>>> = {
  get: (map, [key = null, fallback = null]) => (map.has(key) ? (map.get(key) ?? null) : fallback),
  keys: map => [...map.keys()],
  values: map => [...map.values()],
  items: map => [...map].map(([key, item]) => tuple([key, item])),
  copy: map => new Map(map),
  clear: map => (map.clear(), null),
  pop: (map, [key = null, fallback]) => {
    const value = map.has(key) ? (map.get(key) ?? null) : undefined
    map.delete(key)
    if (value === undefined && fallback === undefined) throw wrong(`The mapping has no "${printed(key)}".`)
    return value === undefined ? (fallback ?? null) : value
  },
  setdefault: (map, [key = null, fallback = null]) => {
    if (!map.has(key)) map.set(key, fallback)
    return map.get(key) ?? null
  },
  update: (map, [more], named) => {
    if (more instanceof Map) for (const [key, item] of more) map.set(key, item)
    else if (more !== undefined)
      for (const pair of itemsOf(more)) map.set(itemsOf(pair)[0] ?? null, itemsOf(pair)[1] ?? null)
    for (const [key, item] of named) map.set(key, item)
    return null
  },
}

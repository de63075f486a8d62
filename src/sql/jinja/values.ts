/** The values of templates, as Python has them: whole numbers of any size, numbers with a fraction, tuples, and what is not defined. */
import { PlinthError } from '../../errors.ts'
import type { CallContext, Relation, TemplateFunction, TemplateValue } from './model.ts'

export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | Undefined
  | Float
  | Tuple
  | Namespace
  | Callable
  | Relation
  | Value[]
  | Map<Value, Value>

/** What a name, attribute or item that is not there answers. */
export interface Undefined {
  readonly kind: 'undefined'
  readonly name: string
}

/** A number with a fraction, which prints as one even where it is whole. Whole numbers are `number`, and `bigint` where that is not exact. */
export interface Float {
  readonly kind: 'float'
  readonly value: number
}

export interface Tuple {
  readonly kind: 'tuple'
  readonly items: Value[]
  /** Names of its items, where it has any. */
  readonly names?: ReadonlyMap<string, Value>
}

/** What `namespace()` answers, the only thing whose members can be set. */
export interface Namespace {
  readonly kind: 'namespace'
  readonly members: Map<Value, Value>
}

export interface Callable {
  readonly kind: 'function'
  readonly name: string
  readonly call: (given: Given, context: CallContext) => Value
  /** What can be asked of it by a dot. */
  readonly members?: ReadonlyMap<Value, Value>
}

/** The arguments of a call. */
export interface Given {
  readonly positional: readonly Value[]
  readonly named: ReadonlyMap<string, Value>
}

const tagged = new WeakSet<object>()

function tag<T extends object>(value: T): T {
  tagged.add(value)
  return value
}

export const undefinedValue = (name: string): Undefined => tag({ kind: 'undefined', name })
export const float = (value: number): Float => tag({ kind: 'float', value })
export const tuple = (items: Value[], names?: ReadonlyMap<string, Value>): Tuple =>
  tag({ kind: 'tuple', items, ...(names ? { names } : {}) })
/** A number that has a fraction, be it none. */
export function fraction(value: number): TemplateValue {
  return float(value) as unknown as TemplateValue
}

/** A sequence of plain values that has members beside its items, such as a row and its columns. */
export function record(
  items: readonly TemplateValue[],
  members: Readonly<Record<string, TemplateValue>> = {},
): TemplateValue {
  const names = new Map(Object.entries(members).map(([name, item]) => [name, toValue(item)]))
  return tuple(items.map(toValue), names) as unknown as TemplateValue
}

export const namespace = (members: Map<Value, Value>): Namespace => tag({ kind: 'namespace', members })

export function callable(name: string, call: Callable['call'], members?: ReadonlyMap<Value, Value>): Callable {
  return tag({ kind: 'function', name, call, ...(members ? { members } : {}) })
}

export function whole(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

export type Kind =
  | Undefined['kind']
  | 'float'
  | 'tuple'
  | 'namespace'
  | 'function'
  | 'relation'
  | 'text'
  | 'whole'
  | 'boolean'
  | 'none'
  | 'list'
  | 'mapping'

export function kindOf(value: Value): Kind {
  if (typeof value === 'string') return 'text'
  if (typeof value === 'number' || typeof value === 'bigint') return 'whole'
  if (typeof value === 'boolean') return 'boolean'
  if (value === null) return 'none'
  if (Array.isArray(value)) return 'list'
  return value instanceof Map ? 'mapping' : value.kind
}

/** As messages call it. */
export function described(value: Value): string {
  const kind = kindOf(value)
  if (kind === 'undefined') return `"${(value as Undefined).name}", which is not defined`
  if (kind === 'whole' || kind === 'float') return 'a number'
  return kind === 'none' ? 'none' : `a ${kind}`
}

export function isFloat(value: Value): value is Float {
  return kindOf(value) === 'float'
}

export function isUndefined(value: Value): value is Undefined {
  return kindOf(value) === 'undefined'
}

/** What Python takes for true. */
export function isTrue(value: Value): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value)
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Map) return value.size > 0
  if (value.kind === 'tuple') return value.items.length > 0
  if (value.kind === 'float') return value.value !== 0
  return value.kind !== 'undefined'
}

/** The items of whatever can be gone through: of a mapping its keys, of a text its letters, of what is not defined none. */
export function itemsOf(value: Value): Value[] {
  if (typeof value === 'string') return Array.from(value)
  if (Array.isArray(value)) return value
  if (value instanceof Map) return [...value.keys()]
  const kind = kindOf(value)
  if (kind === 'tuple') return (value as Tuple).items
  if (kind === 'undefined') return []
  throw wrong(`${described(value)} cannot be gone through: it is neither a list, a mapping nor a text.`)
}

/** As `{{ … }}` prints it. */
export function printed(value: Value): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (value === null) return 'None'
  if (Array.isArray(value)) return `[${value.map(spelled).join(', ')}]`
  if (value instanceof Map)
    return `{${[...value].map(([key, item]) => `${spelled(key)}: ${spelled(item)}`).join(', ')}}`
  if (value.kind === 'undefined') return ''
  if (value.kind === 'relation') return value.text
  if (value.kind === 'float') return spelledFloat(value.value)
  if (value.kind === 'tuple') return `(${value.items.map(spelled).join(', ')}${value.items.length === 1 ? ',' : ''})`
  if (value.kind === 'function')
    throw wrong(`The function "${value.name}" is printed, not called: write ${value.name}().`)
  return `{${[...value.members].map(([key, item]) => `${spelled(key)}: ${spelled(item)}`).join(', ')}}`
}

/** As it prints inside of a list. */
export function spelled(value: Value): string {
  if (typeof value !== 'string') return printed(value)
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`)
    .replaceAll('\t', String.raw`\t`)
  return `${quote}${quote === "'" ? escaped.replaceAll("'", String.raw`\'`) : escaped}${quote}`
}

function spelledFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  if (value !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [digits = '', power = ''] = value.toExponential().split('e')
    return `${digits}e${power.startsWith('-') ? '-' : '+'}${power.replace(/^[+-]/, '').padStart(2, '0')}`
  }
  const text = String(value)
  return text.includes('.') ? text : `${text}.0`
}

const strictNames = new WeakMap<object, string>()

/** A mapping of which an unknown member is a mistake, which says what it is called. */
export function strict<T extends object>(name: string, members: T): T {
  strictNames.set(members, name)
  return members
}

export function strictName(value: Value): string | undefined {
  return value instanceof Map ? strictNames.get(value) : undefined
}

/** Of a plain value, or one that was a value already. */
export function toValue(value: TemplateValue | undefined): Value {
  if (value === undefined) return null
  if (typeof value === 'number') return Number.isInteger(value) ? value : float(value)
  if (typeof value === 'function') return ofFunction(value)
  if (typeof value !== 'object' || value === null) return value
  if (tagged.has(value)) return value as unknown as Value
  if (Array.isArray(value)) return (value as readonly TemplateValue[]).map(toValue)
  if (isRelation(value)) return value
  if (value instanceof Map) return value
  const map = new Map<Value, Value>(Object.entries(value).map(([name, item]) => [name, toValue(item)]))
  const name = strictNames.get(value)
  return name === undefined ? map : strict(name, map)
}

/** Properties of a function are its members. */
function ofFunction(given: TemplateFunction): Callable {
  const members = Object.entries(given).map(([name, item]) => [name, toValue(item)] as const)
  const call: Callable['call'] = ({ positional, named }, context) =>
    toValue(
      given(
        positional.map(toPlain),
        Object.fromEntries([...named].map(([name, item]) => [name, toPlain(item)])),
        context,
      ),
    )
  return callable(given.name, call, members.length > 0 ? new Map(members) : undefined)
}

/** As a function of ours sees it. */
export function toPlain(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toPlain)
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, item]) => [printed(name), toPlain(item)]))
  if (value.kind === 'undefined') return null
  if (value.kind === 'float') return value.value
  if (value.kind === 'tuple') return value.items.map(toPlain)
  return value.kind === 'namespace' ? toPlain(value.members) : value
}

export function isRelation(value: object): value is Relation {
  return 'kind' in value && value.kind === 'relation' && 'text' in value
}

/** An error that gets its place where it is caught. */
export function wrong(message: string, hint?: string): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', `${message.charAt(0).toUpperCase()}${message.slice(1)}`, { hint })
}

/** Python's operators. */
import { percentFormat } from './format.ts'
import {
  described,
  type Float,
  isUndefined,
  itemsOf,
  kindOf,
  printed,
  toValue,
  type Tuple,
  tuple,
  float,
  type Value,
  whole,
  wrong,
} from './values.ts'

export type Arithmetic = '+' | '-' | '*' | '/' | '//' | '%' | '**'
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in'

/** A number as JavaScript has it; undefined for what is none. Python counts true as one. */
export function numberOf(value: Value): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  return kindOf(value) === 'float' ? (value as Float).value : undefined
}

export function arithmetic(operator: Arithmetic, left: Value, right: Value): Value {
  if (operator === '%' && typeof left === 'string') return percentFormat(left, right)
  const own =
    operator === '+' ? ownSum(left, '__add__', right) : operator === '-' ? ownSum(left, '__sub__', right) : undefined
  if (own !== undefined) return own
  const joined = operator === '+' ? concatenated(left, right) : operator === '*' ? repeated(left, right) : undefined
  if (joined !== undefined) return joined
  const a = numberOf(left)
  const b = numberOf(right)
  if (a === undefined || b === undefined) {
    const one = isUndefined(left) || b !== undefined ? left : right
    const why = isUndefined(one) ? described(one) : `${described(left)} and ${described(right)}`
    throw wrong(`"${operator}" cannot be used with ${why}.`, operator === '+' ? 'Texts are joined by "~".' : undefined)
  }
  const isFraction = kindOf(left) === 'float' || kindOf(right) === 'float' || operator === '/'
  if ((operator === '/' || operator === '//' || operator === '%') && Number(b) === 0)
    throw wrong('A number is divided by zero.')
  if (isFraction || (operator === '**' && b < 0)) return float(ofFloats(operator, Number(a), Number(b)))
  return whole(ofIntegers(operator, BigInt(a), BigInt(b)))
}

/** What a value that is no number answers itself, such as a time. */
function ownSum(left: Value, method: '__add__' | '__sub__', right: Value): Value | undefined {
  if (typeof left !== 'object' || left === null || !('kind' in left) || left.kind !== 'relation') return undefined
  const answer = left.attributes?.[method]
  return typeof answer === 'function' ? toValue(answer([right], {}, {} as never)) : undefined
}

function concatenated(left: Value, right: Value): Value | undefined {
  if (typeof left === 'string' && typeof right === 'string') return left + right
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right]
  if (kindOf(left) === 'tuple' && kindOf(right) === 'tuple')
    return tuple([...(left as Tuple).items, ...(right as Tuple).items])
  return undefined
}

function repeated(left: Value, right: Value): Value | undefined {
  const [many, times] = typeof right === 'number' ? [left, right] : [right, left]
  if (typeof times !== 'number') return undefined
  const count = Math.max(0, times)
  if (typeof many === 'string') return bounded(many.length * count) && many.repeat(count)
  if (Array.isArray(many)) return bounded(many.length * count) && Array.from({ length: count }, () => many).flat()
  return undefined
}

function bounded(length: number): true {
  if (length > 10_000_000) throw wrong('This would be longer than ten million letters or items.')
  return true
}

function ofFloats(operator: Arithmetic, a: number, b: number): number {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  if (operator === '*') return a * b
  if (operator === '/') return a / b
  if (operator === '//') return Math.floor(a / b)
  return operator === '%' ? a - Math.floor(a / b) * b : a ** b
}

function ofIntegers(operator: Arithmetic, a: bigint, b: bigint): bigint {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  if (operator === '*') return a * b
  if (operator === '**') return b > 4096n ? bounded(Number.POSITIVE_INFINITY) && 0n : a ** b
  const quotient = a / b
  const floor = a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient
  return operator === '//' ? floor : a - floor * b
}

export function negated(value: Value): Value {
  const number = numberOf(value)
  if (number === undefined) throw wrong(`"-" cannot be used with ${described(value)}.`)
  return kindOf(value) === 'float' ? float(-Number(number)) : whole(-BigInt(number))
}

export function compared(operator: Comparison, left: Value, right: Value): boolean {
  if (operator === '==') return isEqual(left, right)
  if (operator === '!=') return !isEqual(left, right)
  if (operator === 'in') return isIn(left, right)
  if (operator === 'not in') return !isIn(left, right)
  const order = orderOf(left, right)
  if (operator === '<') return order < 0
  if (operator === '<=') return order <= 0
  return operator === '>' ? order > 0 : order >= 0
}

export function isEqual(left: Value, right: Value): boolean {
  const a = numberOf(left)
  const b = numberOf(right)
  if (a !== undefined && b !== undefined) return a == b
  const kind = kindOf(left)
  if (kind !== kindOf(right)) return false
  if (kind === 'undefined') return true
  if (kind === 'relation') return printed(left) === printed(right)
  if (kind === 'list' || kind === 'tuple') {
    const [ours, theirs] = [itemsOf(left), itemsOf(right)]
    return ours.length === theirs.length && ours.every((item, index) => isEqual(item, theirs[index] ?? null))
  }
  if (left instanceof Map && right instanceof Map)
    return (
      left.size === right.size &&
      [...left].every(([key, item]) => right.has(key) && isEqual(item, right.get(key) ?? null))
    )
  return left === right
}

function isIn(item: Value, many: Value): boolean {
  if (typeof many === 'string') {
    if (typeof item !== 'string') throw wrong(`${described(item)} cannot be looked for in a text.`)
    return many.includes(item)
  }
  return itemsOf(many).some(one => isEqual(one, item))
}

/** Less than zero when the left one comes first. */
export function orderOf(left: Value, right: Value): number {
  const a = numberOf(left)
  const b = numberOf(right)
  if (a !== undefined && b !== undefined) return a < b ? -1 : a > b ? 1 : 0
  if (typeof left === 'string' && typeof right === 'string') return left < right ? -1 : left > right ? 1 : 0
  const kind = kindOf(left)
  if (kind === 'relation' && kindOf(right) === 'relation') return orderOf(printed(left), printed(right))
  if (kind === kindOf(right) && (kind === 'list' || kind === 'tuple')) {
    const [ours, theirs] = [itemsOf(left), itemsOf(right)]
    for (const [index, item] of ours.entries()) {
      if (index >= theirs.length) return 1
      const order = isEqual(item, theirs[index] ?? null) ? 0 : orderOf(item, theirs[index] ?? null)
      if (order !== 0) return order
    }
    return ours.length - theirs.length
  }
  throw wrong(`${described(left)} and ${described(right)} have no order.`)
}

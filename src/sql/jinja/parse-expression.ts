/** Expressions, in the order in which their operators bind. */
import type { Arithmetic, Comparison } from './operators.ts'
import type { Argument, BlockFilter, Expression } from './syntax.ts'
import { expected, isAt, next, peek, type Reader, takes, unexpected } from './reader.ts'
import { float, type Value, whole } from './values.ts'

export function parseExpression(reader: Reader): Expression {
  const at = peek(reader)?.at ?? 0
  let value = parseOr(reader)
  while (takes(reader, 'name', 'if')) {
    const condition = parseOr(reader)
    const otherwise = takes(reader, 'name', 'else') ? parseExpression(reader) : null
    value = { type: 'choice', at, condition, answer: value, otherwise }
  }
  return value
}

/** An expression, or several with commas, which are a tuple. */
export function parseTuple(reader: Reader, parse: (reader: Reader) => Expression = parseExpression): Expression {
  const at = peek(reader)?.at ?? 0
  const first = parse(reader)
  if (!isAt(reader, 'operator', ',')) return first
  const items = [first]
  while (takes(reader, 'operator', ',') && !isAt(reader, 'close') && !isAt(reader, 'operator', ')'))
    items.push(parse(reader))
  return { type: 'tuple', at, items }
}

export function parseOr(reader: Reader): Expression {
  return chain(reader, parseAnd, () => (takes(reader, 'name', 'or') ? 'or' : undefined))
}

function parseAnd(reader: Reader): Expression {
  return chain(reader, parseNot, () => (takes(reader, 'name', 'and') ? 'and' : undefined))
}

function chain(
  reader: Reader,
  operand: (reader: Reader) => Expression,
  operator: () => 'and' | 'or' | 'join' | undefined,
): Expression {
  const at = peek(reader)?.at ?? 0
  let left = operand(reader)
  for (let type = operator(); type; type = operator()) left = { type, at, left, right: operand(reader) }
  return left
}

function parseNot(reader: Reader): Expression {
  const at = peek(reader)?.at ?? 0
  return takes(reader, 'name', 'not') ? { type: 'not', at, operand: parseNot(reader) } : parseComparison(reader)
}

function parseComparison(reader: Reader): Expression {
  const at = peek(reader)?.at ?? 0
  const first = parseSum(reader)
  const others: (readonly [Comparison, Expression])[] = []
  for (let operator = comparison(reader); operator; operator = comparison(reader))
    others.push([operator, parseSum(reader)])
  return others.length === 0 ? first : { type: 'comparison', at, first, others }
}

function comparison(reader: Reader): Comparison | undefined {
  for (const operator of ['==', '!=', '<=', '>=', '<', '>'] as const)
    if (takes(reader, 'operator', operator)) return operator
  if (takes(reader, 'name', 'in')) return 'in'
  if (!isAt(reader, 'name', 'not') || !isAt(reader, 'name', 'in', 1)) return undefined
  reader.position += 2
  return 'not in'
}

function calculation(
  reader: Reader,
  operand: (reader: Reader) => Expression,
  operators: readonly Arithmetic[],
): Expression {
  const at = peek(reader)?.at ?? 0
  let left = operand(reader)
  for (;;) {
    const operator = operators.find(one => takes(reader, 'operator', one))
    if (!operator) return left
    left = { type: 'arithmetic', at, operator, left, right: operand(reader) }
  }
}

function parseSum(reader: Reader): Expression {
  return calculation(reader, parseJoin, ['+', '-'])
}

function parseJoin(reader: Reader): Expression {
  return chain(reader, parseProduct, () => (takes(reader, 'operator', '~') ? 'join' : undefined))
}

function parseProduct(reader: Reader): Expression {
  return calculation(reader, parsePower, ['*', '/', '//', '%'])
}

function parsePower(reader: Reader): Expression {
  return calculation(reader, parseUnary, ['**'])
}

function parseUnary(reader: Reader): Expression {
  return withFilters(reader, parseSigned(reader))
}

/** A sign binds closer than a filter. */
function parseSigned(reader: Reader): Expression {
  const at = peek(reader)?.at ?? 0
  if (takes(reader, 'operator', '-')) return { type: 'negative', at, operand: parseSigned(reader) }
  if (takes(reader, 'operator', '+')) return { type: 'positive', at, operand: parseSigned(reader) }
  return withPostfix(reader, parsePrimary(reader))
}

const constants: Readonly<Record<string, Value>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
}

function parsePrimary(reader: Reader): Expression {
  const token = peek(reader)
  if (!token) throw unexpected(reader)
  const { at, type, value } = token
  if (type === 'name') {
    reader.position++
    return value in constants
      ? { type: 'literal', at, value: constants[value] ?? null }
      : { type: 'name', at, name: value }
  }
  if (type === 'string') {
    let text = ''
    while (isAt(reader, 'string')) text += unescaped(next(reader).value.slice(1, -1))
    return { type: 'literal', at, value: text }
  }
  if (type === 'integer' || type === 'float') {
    reader.position++
    const digits = value.replaceAll('_', '')
    return { type: 'literal', at, value: type === 'float' ? float(Number(digits)) : whole(BigInt(digits)) }
  }
  if (takes(reader, 'operator', '(')) {
    if (takes(reader, 'operator', ')')) return { type: 'tuple', at, items: [] }
    const inner = parseTuple(reader)
    expected(reader, 'operator', ')')
    return inner
  }
  if (takes(reader, 'operator', '[')) return { type: 'list', at, items: separated(reader, ']', parseExpression) }
  if (takes(reader, 'operator', '{')) return { type: 'mapping', at, entries: separated(reader, '}', parseEntry) }
  throw unexpected(reader)
}

function parseEntry(reader: Reader): readonly [Expression, Expression] {
  const key = parseExpression(reader)
  expected(reader, 'operator', ':')
  return [key, parseExpression(reader)]
}

function separated<T>(reader: Reader, closer: string, parse: (reader: Reader) => T): T[] {
  const items: T[] = []
  while (!takes(reader, 'operator', closer)) {
    items.push(parse(reader))
    if (takes(reader, 'operator', ',')) continue
    expected(reader, 'operator', closer)
    break
  }
  return items
}

function withPostfix(reader: Reader, start: Expression): Expression {
  let object = start
  for (;;) {
    const at = peek(reader)?.at ?? 0
    if (takes(reader, 'operator', '.')) object = dotted(reader, object, at)
    else if (takes(reader, 'operator', '[')) object = subscript(reader, object, at)
    else if (takes(reader, 'operator', '('))
      object = { type: 'call', at: object.at, callee: object, given: parseArguments(reader) }
    else return object
  }
}

function dotted(reader: Reader, object: Expression, at: number): Expression {
  if (isAt(reader, 'integer')) {
    const index = next(reader)
    return { type: 'item', at, object, index: { type: 'literal', at, value: Number(index.value) } }
  }
  return { type: 'attribute', at: object.at, object, name: expected(reader, 'name').value }
}

function subscript(reader: Reader, object: Expression, at: number): Expression {
  const bounds: (Expression | null)[] = []
  for (;;) {
    const isEmpty = isAt(reader, 'operator', ':') || isAt(reader, 'operator', ']')
    bounds.push(isEmpty ? null : parseTuple(reader))
    if (!takes(reader, 'operator', ':')) break
  }
  expected(reader, 'operator', ']')
  const [index] = bounds
  if (bounds.length > 1) return { type: 'slice', at, object, bounds }
  if (!index) throw unexpected(reader, 'a value')
  return { type: 'item', at, object, index }
}

/** After the opening bracket. */
export function parseArguments(reader: Reader): Argument[] {
  return separated(reader, ')', (): Argument => {
    if (takes(reader, 'operator', '**')) return { spread: 'mapping', value: parseExpression(reader) }
    if (takes(reader, 'operator', '*')) return { spread: 'list', value: parseExpression(reader) }
    if (!isAt(reader, 'name') || !isAt(reader, 'operator', '=', 1)) return { value: parseExpression(reader) }
    const name = next(reader).value
    reader.position++
    return { name, value: parseExpression(reader) }
  })
}

function withFilters(reader: Reader, start: Expression): Expression {
  let operand = start
  for (;;) {
    if (isAt(reader, 'operator', '|')) operand = { type: 'filter', operand, ...parseFilter(reader) }
    else if (isAt(reader, 'name', 'is')) operand = parseTest(reader, operand)
    else if (isAt(reader, 'operator', '(') || isAt(reader, 'operator', '.') || isAt(reader, 'operator', '[')) {
      // What a filter answers can be called and asked as well.
      const asked = withPostfix(reader, operand)
      if (asked === operand) return operand
      operand = asked
    } else return operand
  }
}

/** From the `|` on. */
export function parseFilter(reader: Reader): BlockFilter {
  reader.position++
  const { at, value: name } = dottedName(reader)
  return { at, name, given: takes(reader, 'operator', '(') ? parseArguments(reader) : [] }
}

function dottedName(reader: Reader): { readonly at: number; readonly value: string } {
  const { at, value } = expected(reader, 'name')
  let name = value
  while (takes(reader, 'operator', '.')) name += `.${expected(reader, 'name').value}`
  return { at, value: name }
}

function parseTest(reader: Reader, operand: Expression): Expression {
  reader.position++
  const isNegated = takes(reader, 'name', 'not')
  const { at, value: name } = dottedName(reader)
  return { type: 'test', at, operand, name, isNegated, given: testArguments(reader) }
}

function testArguments(reader: Reader): Argument[] {
  if (takes(reader, 'operator', '(')) return parseArguments(reader)
  const token = peek(reader)
  const isValue =
    (token?.type === 'name' && !['else', 'or', 'and', 'is', 'if', 'not', 'in'].includes(token.value)) ||
    token?.type === 'string' ||
    token?.type === 'integer' ||
    token?.type === 'float' ||
    (token?.type === 'operator' && (token.value === '[' || token.value === '{'))
  return isValue ? [{ value: withPostfix(reader, parsePrimary(reader)) }] : []
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\v',
  '\n': '',
}

function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/g,
    (all, two?: string, four?: string, eight?: string, octal?: string, letter = '') => {
      const hex = two ?? four ?? eight
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8))
      return /['"\\]/.test(letter) ? letter : (escapes[letter] ?? all)
    },
  )
}

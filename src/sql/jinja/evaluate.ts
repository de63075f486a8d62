/** What expressions answer. */
import { nearest, PlinthError } from '../../errors.ts'
import type { CallContext } from './model.ts'
import { filters } from './filters.ts'
import { itemOf, knownMembers, memberOf, sliceOf } from './members.ts'
import { arithmetic, compared, negated } from './operators.ts'
import type { Argument, Expression, Template } from './syntax.ts'
import { tests } from './tests.ts'
import { invalid, lineCounter } from './tokens.ts'
import {
  type Callable,
  described,
  type Given,
  isTrue,
  isUndefined,
  itemsOf,
  kindOf,
  printed,
  tuple,
  undefinedValue,
  type Value,
  wrong,
} from './values.ts'

/** Names that are set, and those around them. */
export interface Scope {
  readonly names: Map<string, Value>
  readonly parent: Scope | null
}

/** One rendering: where it is, and what its words mean. */
export interface Run {
  /** What is rendered now, and where in it. */
  here: { readonly template: Template; at: number }
  /** Inside a test such as `is defined` an unknown name is a question, not an error. */
  questions: number
  /** Macros that are being called. */
  depth: number
  /** A name that no scope has. */
  readonly word: (name: string) => Value | undefined
  /** All names that `word` knows. */
  readonly words: () => readonly string[]
  /** Names that readers may expect, with why they are not there. */
  readonly refused: Readonly<Record<string, string>>
}

export function evaluate(node: Expression, scope: Scope, run: Run): Value {
  const value = (inner: Expression) => evaluate(inner, scope, run)
  /** What went wrong in a part of the expression stands there, and what goes wrong now stands here. */
  const back = (): void => void (run.here.at = node.at)
  run.here.at = node.at
  switch (node.type) {
    case 'literal':
      return node.value
    case 'name':
      return lookUp(node.name, scope, run)
    case 'list':
      return node.items.map(value)
    case 'tuple':
      return tuple(node.items.map(value))
    case 'mapping':
      return new Map(node.entries.map(([key, item]) => [value(key), value(item)]))
    case 'attribute': {
      const object = value(node.object)
      back()
      return attributeOf(object, node, run)
    }
    case 'item': {
      const [object, index] = [value(node.object), value(node.index)]
      back()
      return itemOf(object, index)
    }
    case 'slice': {
      const [object, bounds] = [value(node.object), node.bounds.map(bound => bound && value(bound))]
      back()
      return sliceOf(object, bounds)
    }
    case 'call': {
      const callee = value(node.callee)
      const given = argumentsOf(node.given, scope, run)
      back()
      return call(callee, given, run, node.callee)
    }
    case 'filter':
      return filtered(node, scope, run)
    case 'test':
      return tested(node, scope, run)
    case 'not':
      return !isTrue(value(node.operand))
    case 'negative':
      return negated(value(node.operand))
    case 'positive':
      return value(node.operand)
    case 'and':
    case 'or': {
      const left = value(node.left)
      return isTrue(left) === (node.type === 'or') ? left : value(node.right)
    }
    case 'join': {
      const [left, right] = [value(node.left), value(node.right)]
      back()
      return printed(left) + printed(right)
    }
    case 'arithmetic': {
      const [left, right] = [value(node.left), value(node.right)]
      back()
      return arithmetic(node.operator, left, right)
    }
    case 'comparison': {
      let left = value(node.first)
      for (const [operator, other] of node.others) {
        const right = value(other)
        back()
        if (!compared(operator, left, right)) return false
        left = right
      }
      return true
    }
    case 'choice':
    default:
      if (isTrue(value(node.condition))) return value(node.answer)
      return node.otherwise ? value(node.otherwise) : undefinedValue('the other branch')
  }
}

export function lookUp(name: string, scope: Scope, run: Run): Value {
  for (let at: Scope | null = scope; at; at = at.parent) {
    const found = at.names.get(name)
    if (found !== undefined) return found
  }
  const word = run.word(name)
  if (word !== undefined) return word
  if (run.questions > 0) return undefinedValue(name)
  const why = run.refused[name]
  if (why !== undefined) throw wrong(`"${name}" is not supported here.`, why)
  const known = [...run.words()]
  for (let at: Scope | null = scope; at; at = at.parent) known.push(...at.names.keys())
  const guess = nearest(name, known)
  throw wrong(`"${name}" is not known here.`, guess ? `Did you mean "${guess}"?` : undefined)
}

function attributeOf(object: Value, node: Extract<Expression, { type: 'attribute' }>, run: Run): Value {
  const { name } = node
  const found = memberOf(object, name)
  if (found !== undefined) return found
  if (run.questions > 0) return undefinedValue(name)
  const owner = node.object.type === 'name' ? node.object.name : 'this value'
  const known = knownMembers(object)
  if (known.length > 0) {
    const guess = nearest(name, known)
    throw wrong(
      `"${owner}.${name}" is not known here.`,
      guess ? `Did you mean "${guess}"?` : `Known: ${known.join(', ')}.`,
    )
  }
  return undefinedValue(`${owner === 'this value' ? '' : `${owner}.`}${name}`)
}

export function argumentsOf(given: readonly Argument[], scope: Scope, run: Run): Given {
  const positional: Value[] = []
  const named = new Map<string, Value>()
  for (const { value, name, spread } of given) {
    const answer = evaluate(value, scope, run)
    if (spread === 'list') positional.push(...itemsOf(answer))
    else if (spread === 'mapping') {
      if (!(answer instanceof Map)) throw wrong(`"**" needs a mapping and was given ${described(answer)}.`)
      for (const [key, item] of answer) named.set(printed(key), item)
    } else if (name !== undefined) named.set(name, answer)
    else positional.push(answer)
  }
  return { positional, named }
}

export function call(callee: Value, given: Given, run: Run, node?: Expression): Value {
  if (kindOf(callee) === 'function') {
    const { template, at } = run.here
    // A function of ours is given the place when it asks for one, which few do.
    const context: CallContext = {
      get place() {
        return lineCounter(template.file, template.source)(at)
      },
      callable: (name, namespace) => {
        const owner = namespace === undefined ? undefined : run.word(namespace)
        const found = namespace === undefined ? run.word(name) : owner instanceof Map ? owner.get(name) : undefined
        return found !== undefined && kindOf(found) === 'function' ? (found as Callable as never) : undefined
      },
      textOf: value => printed(call(value as Value, { positional: [], named: new Map() }, run)),
    }
    try {
      return (callee as Callable).call(given, context)
    } catch (error) {
      throw placed(error, run, { template, at })
    }
  }
  const name = node?.type === 'name' ? node.name : node?.type === 'attribute' ? node.name : undefined
  if (name !== undefined && isUndefined(callee)) throw wrong(`There is no function "${callee.name}".`)
  throw wrong(
    name === undefined ? `${described(callee)} is no function.` : `"${name}" is ${described(callee)} and no function.`,
  )
}

/** What was thrown without a place gets the one that is given. */
export function placed(error: unknown, run: Run, { template, at } = run.here): unknown {
  if (error instanceof PlinthError) {
    if (error.at) return error
    const place = lineCounter(template.file, template.source)(at)
    return new PlinthError(error.code, error.message, { at: place, hint: error.hint, cause: error })
  }
  if (error instanceof RangeError)
    return invalid('Macros call each other without end.', lineCounter(template.file, template.source)(at))
  return error
}

function filtered(node: Extract<Expression, { type: 'filter' }>, scope: Scope, run: Run): Value {
  const { name, operand } = node
  const isDefault = name === 'default' || name === 'd'
  if (isDefault) run.questions++
  let value: Value
  try {
    value = evaluate(operand, scope, run)
  } finally {
    if (isDefault) run.questions--
  }
  return applied(node, value, scope, run)
}

/** A filter, of an expression or of a block. */
export function applied(
  { name, given, at }: { readonly name: string; readonly given: readonly Argument[]; readonly at: number },
  value: Value,
  scope: Scope,
  run: Run,
): Value {
  const args = argumentsOf(given, scope, run)
  run.here.at = at
  return filterOf(name)(value, args)
}

function filterOf(name: string): (value: Value, given: Given) => Value {
  const filter = filters[name]
  if (filter) return filter
  const guess = nearest(name, Object.keys(filters))
  throw wrong(
    `The filter "${name}" is not known here.`,
    guess ? `Did you mean "${guess}"?` : `Known: ${Object.keys(filters).join(', ')}.`,
  )
}

function tested(node: Extract<Expression, { type: 'test' }>, scope: Scope, run: Run): Value {
  const test = tests[node.name]
  if (!test) {
    const guess = nearest(node.name, Object.keys(tests))
    throw wrong(
      `The test "is ${node.name}" is not known here.`,
      guess ? `Did you mean "${guess}"?` : `Known: ${Object.keys(tests).join(', ')}.`,
    )
  }
  run.questions++
  let value: Value
  try {
    value = evaluate(node.operand, scope, run)
  } finally {
    run.questions--
  }
  const given = argumentsOf(node.given, scope, run)
  run.here.at = node.at
  return test(value, given.positional) !== node.isNegated
}

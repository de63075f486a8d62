/** Carries out the statements of a template. */
import { assign } from './assign.ts'
import { applied, argumentsOf, call, evaluate, placed, type Run, type Scope } from './evaluate.ts'
import { loopValue } from './globals.ts'
import type { BlockFilter, Body, Macro, Statement, Template } from './syntax.ts'
import {
  type Callable,
  callable,
  described,
  type Given,
  isTrue,
  itemsOf,
  printed,
  tuple,
  undefinedValue,
  type Value,
  wrong,
} from './values.ts'

/** Takes text together with the offset that it came from. */
export type Write = (text: string, at: number) => void

type Ending = 'break' | 'continue' | undefined

/** What a macro answers by `return()` instead of its text. */
class Returned extends Error {
  readonly answer: Value
  constructor(answer: Value) {
    super('return() stands outside of a macro')
    this.answer = answer
  }
}

export const returning: Callable = callable('return', ({ positional }) => {
  throw new Returned(positional[0] ?? null)
})

/** Renders the whole of a template. */
export function renderBody(template: Template, scope: Scope, run: Run, write: Write): void {
  run.here = { template, at: 0 }
  try {
    carryOut(template.body, scope, run, write)
  } catch (error) {
    if (error instanceof Returned) throw placed(wrong('"return" stands outside of a macro.'), run)
    throw placed(error, run)
  }
}

/** The macros that a template defines, as callables. */
export function macrosOf(template: Template, run: Run, scope: Scope): Map<string, Value> {
  const found = new Map<string, Value>()
  for (const statement of template.body)
    if (statement.type === 'macro') found.set(statement.name, macroValue(statement, template, scope, run))
  return found
}

function carryOut(body: Body, scope: Scope, run: Run, write: Write): Ending {
  for (const statement of body) {
    run.here.at = statement.at
    if (statement.type === 'text') {
      write(statement.text, statement.at)
      continue
    }
    const ending = one(statement, scope, run, write)
    if (ending) return ending
  }
  return undefined
}

function one(statement: Exclude<Statement, { type: 'text' }>, scope: Scope, run: Run, write: Write): Ending {
  switch (statement.type) {
    case 'print': {
      const value = evaluate(statement.expression, scope, run)
      run.here.at = statement.at
      write(printed(value), statement.at)
      return undefined
    }
    case 'do':
      evaluate(statement.expression, scope, run)
      return undefined
    case 'if': {
      const branch = statement.branches.find(([condition]) => isTrue(evaluate(condition, scope, run)))
      return carryOut(branch ? branch[1] : statement.otherwise, scope, run, write)
    }
    case 'for':
      return goThrough(statement, itemsOf(evaluate(statement.many, scope, run)), 1, scope, run, write)
    case 'set':
      assign(statement.target, evaluate(statement.value, scope, run), scope)
      return undefined
    case 'set-block':
      assign(
        statement.target,
        throughFilters(statement.filters, captured(statement.body, inner(scope), run), scope, run),
        scope,
      )
      return undefined
    case 'macro':
      scope.names.set(statement.name, macroValue(statement, run.here.template, scope, run))
      return undefined
    case 'call':
      callWithCaller(statement, scope, run, write)
      return undefined
    case 'filter':
      write(
        printed(throughFilters(statement.filters, captured(statement.body, inner(scope), run), scope, run)),
        statement.at,
      )
      return undefined
    case 'with': {
      const within = inner(scope)
      for (const [target, value] of statement.set) assign(target, evaluate(value, scope, run), within)
      return carryOut(statement.body, within, run, write)
    }
    case 'break':
    case 'continue':
    default:
      return statement.type
  }
}

function inner(parent: Scope): Scope {
  return { names: new Map(), parent }
}

function captured(body: Body, scope: Scope, run: Run): string {
  let text = ''
  carryOut(body, scope, run, piece => (text += piece))
  return text
}

function throughFilters(filters: readonly BlockFilter[], text: string, scope: Scope, run: Run): Value {
  return filters.reduce<Value>((value, filter) => applied(filter, value, scope, run), text)
}

type Loop = Extract<Statement, { type: 'for' }>

function goThrough(loop: Loop, all: readonly Value[], depth: number, scope: Scope, run: Run, write: Write): Ending {
  const { target, condition, body, otherwise, isRecursive } = loop
  const items = condition
    ? all.filter(item => {
        const within = inner(scope)
        assign(target, item, within)
        return isTrue(evaluate(condition, within, run))
      })
    : all
  if (items.length === 0) return carryOut(otherwise, inner(scope), run, write)
  const last = { values: null }
  const again: Callable['call'] = ({ positional: [many = null] }) => {
    let text = ''
    goThrough(loop, itemsOf(many), depth + 1, scope, run, piece => (text += piece))
    return text
  }
  for (const [index, item] of items.entries()) {
    const within = inner(scope)
    assign(target, item, within)
    within.names.set('loop', loopValue({ items, index, depth, again: isRecursive ? again : null, last }))
    if (carryOut(body, within, run, write) === 'break') break
  }
  return undefined
}

/** Macros call each other no deeper than this. */
const deepest = 400

function macroValue(macro: Macro, template: Template, scope: Scope, run: Run): Callable {
  return callable(macro.name, given => {
    const { here, questions } = run
    if (run.depth >= deepest) throw wrong(`Macros call each other more than ${deepest} times deep.`)
    const within = inner(scope)
    bind(macro, given, within, run, template)
    run.depth++
    run.here = { template, at: macro.at }
    run.questions = 0
    try {
      const text = captured(macro.body, within, run)
      run.here = here
      return text
    } catch (error) {
      if (!(error instanceof Returned)) throw placed(error, run)
      run.here = here
      return error.answer
    } finally {
      run.questions = questions
      run.depth--
    }
  })
}

function bind(
  { name, parameters, body }: Macro,
  { positional, named }: Given,
  scope: Scope,
  run: Run,
  template: Template,
): void {
  const rest = new Map(named)
  const extra = positional.slice(parameters.length)
  const caller = name === 'caller' ? undefined : rest.get('caller')
  for (const [index, parameter] of parameters.entries()) {
    const byName = rest.get(parameter.name)
    rest.delete(parameter.name)
    if (index < positional.length) scope.names.set(parameter.name, positional[index] ?? null)
    else if (byName !== undefined) scope.names.set(parameter.name, byName)
    else if (parameter.fallback) {
      const { here } = run
      run.here = { template, at: parameter.fallback.at }
      scope.names.set(parameter.name, evaluate(parameter.fallback, scope, run))
      run.here = here
    } else scope.names.set(parameter.name, undefinedValue(parameter.name))
  }
  if (caller !== undefined) {
    rest.delete('caller')
    scope.names.set('caller', caller)
  }
  const uses = wordsOf(body, template)
  const unknown = [...rest.keys()][0]
  if (extra.length > 0 && !uses.has('varargs'))
    throw wrong(`The macro "${name}" takes ${parameters.length} arguments and was given ${positional.length}.`)
  if (unknown !== undefined && !uses.has('kwargs'))
    throw wrong(
      `The macro "${name}" has no argument "${unknown}".`,
      `It has: ${parameters.map(one => one.name).join(', ') || 'none'}.`,
    )
  scope.names.set('varargs', tuple(extra))
  scope.names.set('kwargs', new Map<Value, Value>(rest))
}

const words = new WeakMap<Body, ReadonlySet<string>>()

/** A macro takes more than it names when it asks for `varargs` or `kwargs`. */
function wordsOf(body: Body, { source }: Template): ReadonlySet<string> {
  const known = words.get(body)
  if (known) return known
  const found = new Set<string>()
  const look = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if ('type' in node && node.type === 'name' && 'name' in node) found.add(String(node.name))
    for (const child of Object.values(node)) look(child)
  }
  if (/\b(varargs|kwargs)\b/.test(source)) look(body)
  words.set(body, found)
  return found
}

function callWithCaller(
  { call: node, caller }: Extract<Statement, { type: 'call' }>,
  scope: Scope,
  run: Run,
  write: Write,
): void {
  if (node.type !== 'call') throw wrong(`${described(null)} is no call.`)
  const callee = evaluate(node.callee, scope, run)
  const { positional, named } = argumentsOf(node.given, scope, run)
  run.here.at = node.at
  const value = macroValue(caller, run.here.template, scope, run)
  const given = { positional, named: new Map([...named, ['caller', value] as const]) }
  write(printed(call(callee, given, run, node.callee)), node.at)
}

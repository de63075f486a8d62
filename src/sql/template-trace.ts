/** Runs a parsed template so that every failure has a place and our functions see plain values. */
import { nearest, type Place, PlinthError } from '../errors.ts'
import { filterOf, memberOf, percentFormat } from './template-words.ts'
import type {
  Environment,
  Program,
  Relation,
  RuntimeClasses,
  RuntimeValue,
  Template,
  TemplateFunction,
  TemplateValue,
} from './template-model.ts'
import { invalid, malformed, type Tokenize, type Token } from './template-tags.ts'

/** What is used of the engine. */
export interface TemplateEngine {
  readonly tokenize: Tokenize
  parse(tokens: readonly Token[]): Program
  readonly Environment: new () => Environment
  readonly Interpreter: new (environment: Environment) => Interpreter
}

interface Interpreter {
  run(program: Program): RuntimeValue
  evaluate(node: Node | undefined, scope: Environment): RuntimeValue
}

interface Node {
  readonly type: string
  readonly value?: unknown
  readonly filter?: FilterNode
  readonly operand?: Node
  readonly object?: Node
  readonly property?: Node
  readonly computed?: boolean
  readonly callee?: Node
  readonly left?: Node
  readonly right?: Node
  readonly operator?: { readonly value?: unknown }
}

interface FilterNode {
  readonly value?: unknown
  readonly callee?: { readonly value?: unknown }
  readonly args?: readonly Node[]
}

/** The engine exports no value classes, so they are taken from values that it makes. */
function runtimeOf(EnvironmentClass: new () => Environment): RuntimeClasses {
  const made = (value: unknown): RuntimeValue => new EnvironmentClass().set('value', value)
  const classOf = (value: unknown): unknown => made(value).constructor
  return {
    text: classOf('') as RuntimeClasses['text'],
    list: classOf([]) as RuntimeClasses['list'],
    object: classOf({}) as RuntimeClasses['object'],
    call: classOf(() => null) as RuntimeClasses['call'],
    plain: made,
  }
}

/** What a macro answers by `return()` instead of its text. */
class Returned extends Error {
  readonly answer: RuntimeValue
  constructor(answer: RuntimeValue) {
    super('return() stands outside of a macro')
    this.answer = answer
  }
}

/**
 * An interpreter that knows where it is, refuses unknown names and calls our functions with plain values. Of `values` the environment holds
 * what templates mention; the others are only found by a name that is put together.
 */
export function traced(
  engine: TemplateEngine,
  environment: Environment,
  refused: Readonly<Record<string, string>> = {},
  values: Readonly<Record<string, TemplateValue>> = {},
) {
  const runtime = runtimeOf(engine.Environment)
  const interpreter = new engine.Interpreter(environment)
  const evaluate = interpreter.evaluate.bind(interpreter)
  let template: Template | undefined
  let place: Place = {}
  let mode: 'quiet' | 'mapped' = 'quiet'
  /** Inside a test such as `is defined` an unknown name is a question, not an error. */
  let questions = 0
  const relations = new WeakMap<RuntimeValue, Relation>()

  interpreter.evaluate = (node, scope) => {
    if (node?.type === 'Comment') return passMark(node)
    if (node?.type === 'Identifier') return lookUp(node, scope)
    if (node?.type === 'CallExpression' || node?.type === 'CallStatement') {
      const before = place
      const value = returning(node, scope)
      place = before
      return value
    }
    if (node?.type === 'MemberExpression') return member(node, scope)
    if (node?.type === 'BinaryExpression' && node.operator?.value === '%') return remainder(node, scope)
    if (node?.type === 'FilterExpression' && !isDefaultFilter(node)) return filtered(node, scope)
    if (node?.type === 'TestExpression' || isDefaultFilter(node)) {
      questions++
      try {
        return evaluate(node, scope)
      } finally {
        questions--
      }
    }
    return evaluate(node, scope)
  }

  environment.setVariable(
    'return',
    new runtime.call(args => {
      throw new Returned(args[0] ?? runtime.plain(null))
    }),
  )

  return { run, toRuntime, namespace }

  function namespace(members: readonly (readonly [string, RuntimeValue])[]): RuntimeValue {
    return new runtime.object(new Map(members))
  }

  /** What `return()` threw is the answer of the macro that it stands in. */
  function returning(node: Node, scope: Environment): RuntimeValue {
    try {
      return evaluate(node, scope)
    } catch (error) {
      const isReturn = node.callee?.type === 'Identifier' && node.callee.value === 'return'
      if (error instanceof Returned && !isReturn) return error.answer
      throw error
    }
  }

  /** The engine lacks some of the methods that templates use of lists, mappings and texts. */
  function member(node: Node, scope: Environment): RuntimeValue {
    const value = evaluate(node, scope)
    if (value.type !== 'UndefinedValue' || node.computed || questions > 0) return value
    const object = evaluate(node.object, scope)
    const name = nameOf(node.property ?? node)
    const method = memberOf(object, name, runtime)
    if (method) return new runtime.call(args => method(args))
    const known = knownMembers(object)
    if (known.length === 0 || !isNamespace(object)) return value
    const guess = nearest(name, known)
    throw invalid(
      `"${expressionName(node.object)}.${name}" is not known here.`,
      place,
      guess ? `Did you mean "${guess}"?` : `Known: ${known.join(', ')}.`,
    )
  }

  function remainder(node: Node, scope: Environment): RuntimeValue {
    const left = interpreter.evaluate(node.left, scope)
    if (left.type !== 'StringValue') return evaluate(node, scope)
    return new runtime.text(percentFormat(String(left.value), interpreter.evaluate(node.right, scope)))
  }

  function filtered(node: Node, scope: Environment): RuntimeValue {
    const { filter, operand } = node
    const word = filterOf(String(filter?.callee?.value ?? filter?.value))
    if (!word) return evaluate(node, scope)
    const args = (filter?.args ?? []).map(argument => interpreter.evaluate(argument, scope))
    const own = word(interpreter.evaluate(operand, scope), args, runtime)
    return own ?? evaluate(node, scope)
  }

  function run(next: Template, nextMode: 'quiet' | 'mapped'): string {
    template = next
    mode = nextMode
    place = { file: next.file, line: 1, column: 1, source: next.source }
    if (!owners.has(next.program)) own(next.program, next)
    try {
      return String(interpreter.run(next.program).value)
    } catch (error) {
      if (error instanceof PlinthError && error.at) throw error
      if (error instanceof PlinthError)
        throw new PlinthError(error.code, error.message, { at: place, hint: error.hint, cause: error })
      throw malformed(error, place)
    }
  }

  function passMark(node: Node): RuntimeValue {
    const owner = owners.get(node) ?? template
    const text = String(node.value)
    const index = Number(text.slice(1))
    place = owner?.marks[index] ?? place
    return mode === 'mapped' && text.startsWith('m') && owner === template
      ? new runtime.text(`\ue000${index}\ue001`)
      : runtime.plain(null)
  }

  function lookUp(node: Node, scope: Environment): RuntimeValue {
    const value = evaluate(node, scope)
    if (value.type !== 'UndefinedValue' || questions > 0 || isBound(scope, nameOf(node))) return value
    const why = refused[nameOf(node)]
    if (why !== undefined) throw invalid(`"${nameOf(node)}" is not supported here.`, place, why)
    const guess = nearest(nameOf(node), [...knownNames(scope), ...Object.keys(values)])
    throw invalid(`"${nameOf(node)}" is not known here.`, place, guess ? `Did you mean "${guess}"?` : undefined)
  }

  function toRuntime(value: TemplateValue): RuntimeValue {
    if (typeof value === 'function') return new runtime.call(args => callOurs(value, args))
    if (Array.isArray(value)) return new runtime.list((value as readonly TemplateValue[]).map(toRuntime))
    if (typeof value !== 'object' || value === null) return runtime.plain(value)
    if (isRuntime(value)) return value
    if (isRelation(value)) return relationValue(value)
    return new runtime.object(new Map(Object.entries(value).map(([name, item]) => [name, toRuntime(item)])))
  }

  function relationValue(relation: Relation): RuntimeValue {
    const { schema, identifier, text } = relation
    const attributes = new Map(
      Object.entries({ schema, identifier, name: identifier, table: identifier, ...relation.attributes }).map(
        ([name, item]) => [name, toRuntime(item)],
      ),
    )
    // The engine prints a value by its own toString and joins it with `~` by that of what it holds.
    attributes.toString = () => text
    const value = new runtime.object(attributes)
    value.toString = () => text
    relations.set(value, relation)
    return value
  }

  function toPlain(value: RuntimeValue): unknown {
    const inner: unknown = value.value
    if (value.type === 'UndefinedValue') return null
    if (value.type === 'FunctionValue') return value
    if (Array.isArray(inner)) return (inner as RuntimeValue[]).map(toPlain)
    if (inner instanceof Map)
      return (
        relations.get(value) ??
        Object.fromEntries([...(inner as Map<string, RuntimeValue>)].map(([name, item]) => [name, toPlain(item)]))
      )
    // The engine's none holds nothing at all, which a function would give back as something undefined.
    return inner ?? null
  }

  function callOurs(call: TemplateFunction, args: RuntimeValue[]): RuntimeValue {
    const last = args.at(-1)
    const named = last?.type === 'KeywordArgumentsValue' ? (toPlain(last) as Record<string, unknown>) : {}
    const positional = (last?.type === 'KeywordArgumentsValue' ? args.slice(0, -1) : args).map(toPlain)
    const callable = (name: string) => {
      const found = environment.lookupVariable(name)
      const hidden = found.type === 'UndefinedValue' ? values[name] : undefined
      const value = hidden === undefined ? found : toRuntime(hidden)
      return value.type === 'FunctionValue' ? (value as unknown as TemplateValue) : undefined
    }
    return toRuntime(call(positional, named, { place, callable }))
  }
}

function isDefaultFilter(node: Node | undefined): boolean {
  return node?.type === 'FilterExpression' && (node.filter?.callee?.value ?? node.filter?.value) === 'default'
}

/** Marks of macros point into other files, so each mark of a program knows which template it belongs to. */
const owners = new WeakMap<object, Template>()

function own(node: unknown, template: Template): void {
  if (Array.isArray(node)) for (const item of node) own(item, template)
  else if (typeof node === 'object' && node !== null && !owners.has(node)) {
    owners.set(node, template)
    for (const child of Object.values(node)) if (typeof child === 'object') own(child, template)
  }
}

function nameOf(node: Node): string {
  return String(node.value)
}

function isBound(scope: Environment | undefined, name: string): boolean {
  return scope !== undefined && (scope.variables.has(name) || isBound(scope.parent, name))
}

function knownNames(scope: Environment | undefined): string[] {
  return scope ? [...scope.variables.keys(), ...knownNames(scope.parent)] : []
}

function isRelation(value: object): value is Relation {
  return 'kind' in value && value.kind === 'relation'
}

function isRuntime(value: object): value is RuntimeValue {
  return 'type' in value && typeof value.type === 'string' && value.type.endsWith('Value') && 'builtins' in value
}

/** A mapping of functions is a namespace, of which an unknown member is a mistake; of data it is a question. */
function isNamespace(value: RuntimeValue): boolean {
  return (
    value.value instanceof Map &&
    value.value.size > 0 &&
    [...(value.value as Map<string, RuntimeValue>).values()].every(item => item.type === 'FunctionValue')
  )
}

function knownMembers(value: RuntimeValue): string[] {
  return value.value instanceof Map ? [...(value.value as Map<string, RuntimeValue>).keys()] : []
}

function expressionName(node: Node | undefined): string {
  return node?.type === 'Identifier' ? nameOf(node) : 'this value'
}

/** Runs a parsed template so that every failure has a place and our functions see plain values. */
import { nearest, type Place, PlinthError } from '../errors.ts'
import type { Program, Relation, Template, TemplateFunction, TemplateValue } from './template-model.ts'
import { invalid, malformed, type Tokenize, type Token } from './template-tags.ts'

/** What is used of the engine. */
export interface TemplateEngine {
  readonly tokenize: Tokenize
  parse(tokens: readonly Token[]): Program
  readonly Environment: new () => Environment
  readonly Interpreter: new (environment: Environment) => Interpreter
}

export interface Environment {
  readonly parent?: Environment
  readonly variables: ReadonlyMap<string, RuntimeValue>
  set(name: string, value: unknown): RuntimeValue
  setVariable(name: string, value: RuntimeValue): void
  lookupVariable(name: string): RuntimeValue
}

interface Interpreter {
  run(program: Program): RuntimeValue
  evaluate(node: Node | undefined, scope: Environment): RuntimeValue
}

interface Node {
  readonly type: string
  readonly value?: unknown
  readonly filter?: { readonly value?: unknown; readonly callee?: { readonly value?: unknown } }
}

interface RuntimeValue {
  readonly type: string
  readonly value: unknown
}

interface RuntimeClasses {
  readonly text: new (value: string) => RuntimeValue
  readonly list: new (value: RuntimeValue[]) => RuntimeValue
  readonly object: new (value: Map<string, RuntimeValue>) => RuntimeValue
  readonly call: new (value: (args: RuntimeValue[], scope: Environment) => RuntimeValue) => RuntimeValue
  readonly plain: (value: string | number | boolean | null) => RuntimeValue
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

/** An interpreter that knows where it is, refuses unknown names and calls our functions with plain values. */
export function traced(engine: TemplateEngine, environment: Environment) {
  const runtime = runtimeOf(engine.Environment)
  const interpreter = new engine.Interpreter(environment)
  const evaluate = interpreter.evaluate.bind(interpreter)
  let template: Template | undefined
  let place: Place = {}
  let mode: 'quiet' | 'mapped' = 'quiet'
  /** Inside a test such as `is defined` an unknown name is a question, not an error. */
  let questions = 0
  /** Marks of macros point into other files, so their numbers start behind those of the files before. */
  const owners = new WeakMap<object, Template>()

  interpreter.evaluate = (node, scope) => {
    if (node?.type === 'Comment') return passMark(node)
    if (node?.type === 'Identifier') return lookUp(node, scope)
    if (node?.type === 'CallExpression') {
      const before = place
      const value = evaluate(node, scope)
      place = before
      return value
    }
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

  return { run, toRuntime }

  function run(next: Template, nextMode: 'quiet' | 'mapped'): string {
    template = next
    mode = nextMode
    place = { file: next.file, line: 1, column: 1, source: next.source }
    if (!owners.has(next.program)) own(next.program, next, owners)
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
    const guess = nearest(nameOf(node), knownNames(scope))
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
      Object.entries({ schema, identifier, name: identifier }).map(([name, item]) => [name, toRuntime(item)]),
    )
    // The engine prints a value by its own toString and joins it with `~` by that of what it holds.
    attributes.toString = () => text
    const value = new runtime.object(attributes)
    value.toString = () => text
    return value
  }

  function callOurs(call: TemplateFunction, args: RuntimeValue[]): RuntimeValue {
    const last = args.at(-1)
    const named = last?.type === 'KeywordArgumentsValue' ? (toPlain(last) as Record<string, unknown>) : {}
    const positional = (last?.type === 'KeywordArgumentsValue' ? args.slice(0, -1) : args).map(toPlain)
    const callable = (name: string) => {
      const value = environment.lookupVariable(name)
      return value.type === 'FunctionValue' ? (value as unknown as TemplateValue) : undefined
    }
    return toRuntime(call(positional, named, { place, callable }))
  }
}

function isDefaultFilter(node: Node | undefined): boolean {
  return node?.type === 'FilterExpression' && (node.filter?.callee?.value ?? node.filter?.value) === 'default'
}

/** Remembers for each mark of a program which template it belongs to. */
function own(node: unknown, template: Template, owners: WeakMap<object, Template>): void {
  if (Array.isArray(node)) for (const item of node) own(item, template, owners)
  else if (typeof node === 'object' && node !== null && !owners.has(node)) {
    owners.set(node, template)
    for (const child of Object.values(node)) if (typeof child === 'object') own(child, template, owners)
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

function toPlain(value: RuntimeValue): unknown {
  const inner: unknown = value.value
  if (value.type === 'UndefinedValue') return null
  if (Array.isArray(inner)) return (inner as RuntimeValue[]).map(toPlain)
  if (inner instanceof Map)
    return Object.fromEntries([...(inner as Map<string, RuntimeValue>)].map(([name, item]) => [name, toPlain(item)]))
  return inner
}

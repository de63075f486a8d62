/** What templates are made of and what they can hold. */
import type { Place } from '../errors.ts'

export interface TemplateFile {
  /** Path as people should read it in messages. */
  readonly file: string
  readonly source: string
}

export interface Template extends TemplateFile {
  /** Names of the macros that it defines. */
  readonly macros: readonly string[]
  /** What the engine made of it. */
  readonly program: Program
  readonly marks: readonly Place[]
}

/** What a template can hold and a function can answer. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | Relation
  | TemplateFunction
  | readonly TemplateValue[]
  | { readonly [name: string]: TemplateValue }

/** Called with positional and named arguments as plain values. A PlinthError without a place gets that of the call. */
export type TemplateFunction = (
  positional: readonly unknown[],
  named: Readonly<Record<string, unknown>>,
  context: CallContext,
) => TemplateValue

export interface CallContext {
  readonly place: Place
  /** The macro or function of that name, to be answered and called by the template; undefined when there is none. */
  readonly callable: (name: string) => TemplateValue | undefined
}

/** A table or view: prints as its quoted name and has the attributes that dbt gives it. */
export interface Relation {
  readonly kind: 'relation'
  readonly schema: string
  readonly identifier: string
  /** What stands in the SQL. */
  readonly text: string
  /** More that can be asked of it, such as `database`. */
  readonly attributes?: Readonly<Record<string, TemplateValue>>
}

export interface Program {
  readonly type: 'Program'
}

export interface Environment {
  readonly parent?: Environment
  readonly variables: ReadonlyMap<string, RuntimeValue>
  set(name: string, value: unknown): RuntimeValue
  setVariable(name: string, value: RuntimeValue): void
  lookupVariable(name: string): RuntimeValue
}

export interface RuntimeValue {
  readonly type: string
  readonly value: unknown
}

export interface RuntimeClasses {
  readonly text: new (value: string) => RuntimeValue
  readonly list: new (value: RuntimeValue[]) => RuntimeValue
  readonly object: new (value: Map<string, RuntimeValue>) => RuntimeValue
  readonly call: new (value: (args: RuntimeValue[], scope: Environment) => RuntimeValue) => RuntimeValue
  readonly plain: (value: string | number | boolean | null) => RuntimeValue
}

/** What templates can hold, as the rest of Plinth sees it. */
import type { Place } from '../../errors.ts'

export interface TemplateFile {
  /** Path as people should read it in messages. */
  readonly file: string
  readonly source: string
  /** Whose it is, where not everybody's macros mean the same to it. */
  readonly owner?: string | undefined
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

/**
 * Called with positional and named arguments as plain values. A PlinthError without a place gets that of the call. Properties of the
 * function are what can be asked of it by a dot.
 */
export type TemplateFunction = (
  positional: readonly unknown[],
  named: Readonly<Record<string, unknown>>,
  context: CallContext,
) => TemplateValue

export interface CallContext {
  readonly place: Place
  /**
   * The macro or function of that name, to be answered and called by the template; undefined when there is none. With a namespace, the one
   * that is called as `namespace.name()`.
   */
  readonly callable: (name: string, namespace?: string) => TemplateValue | undefined
  /** What a function that was given as an argument answers when it is called without any, as text. */
  readonly textOf: (given: unknown) => string
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

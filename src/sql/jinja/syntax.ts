/** What a template is parsed into. Every node knows its offset in the source. */
import type { TemplateFile } from './model.ts'
import type { Arithmetic, Comparison } from './operators.ts'
import type { Value } from './values.ts'

/** A template that was parsed. */
export interface Template extends TemplateFile {
  /** Names of the macros that it defines. */
  readonly macros: readonly string[]
  readonly body: Body
}

export type Expression = { readonly at: number } & (
  | { readonly type: 'literal'; readonly value: Value }
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'list' | 'tuple'; readonly items: readonly Expression[] }
  | { readonly type: 'mapping'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly type: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly type: 'item'; readonly object: Expression; readonly index: Expression }
  | { readonly type: 'slice'; readonly object: Expression; readonly bounds: readonly (Expression | null)[] }
  | { readonly type: 'call'; readonly callee: Expression; readonly given: readonly Argument[] }
  | {
      readonly type: 'filter'
      readonly operand: Expression
      readonly name: string
      readonly given: readonly Argument[]
    }
  | {
      readonly type: 'test'
      readonly operand: Expression
      readonly name: string
      readonly given: readonly Argument[]
      readonly isNegated: boolean
    }
  | { readonly type: 'not' | 'negative' | 'positive'; readonly operand: Expression }
  | { readonly type: 'and' | 'or' | 'join'; readonly left: Expression; readonly right: Expression }
  | {
      readonly type: 'arithmetic'
      readonly operator: Arithmetic
      readonly left: Expression
      readonly right: Expression
    }
  | {
      readonly type: 'comparison'
      readonly first: Expression
      readonly others: readonly (readonly [Comparison, Expression])[]
    }
  | {
      readonly type: 'choice'
      readonly condition: Expression
      readonly answer: Expression
      readonly otherwise: Expression | null
    }
)

export interface Argument {
  readonly value: Expression
  /** Of a named argument. */
  readonly name?: string
  /** `*list` and `**mapping`. */
  readonly spread?: 'list' | 'mapping'
}

export interface Parameter {
  readonly name: string
  readonly fallback: Expression | null
}

export type Target = { readonly at: number } & (
  | { readonly type: 'name'; readonly name: string }
  | { readonly type: 'member'; readonly owner: string; readonly name: string }
  | { readonly type: 'tuple'; readonly targets: readonly Target[] }
)

/** A filter of a block, which has no operand of its own. */
export interface BlockFilter {
  readonly at: number
  readonly name: string
  readonly given: readonly Argument[]
}

export type Body = readonly Statement[]

export type Statement = { readonly at: number } & (
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'print' | 'do'; readonly expression: Expression }
  | { readonly type: 'if'; readonly branches: readonly (readonly [Expression, Body])[]; readonly otherwise: Body }
  | {
      readonly type: 'for'
      readonly target: Target
      readonly many: Expression
      readonly condition: Expression | null
      readonly isRecursive: boolean
      readonly body: Body
      readonly otherwise: Body
    }
  | { readonly type: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly type: 'set-block'
      readonly target: Target
      readonly filters: readonly BlockFilter[]
      readonly body: Body
    }
  | Macro
  | {
      readonly type: 'call'
      readonly call: Expression
      readonly caller: Macro
    }
  | { readonly type: 'filter'; readonly filters: readonly BlockFilter[]; readonly body: Body }
  | { readonly type: 'with'; readonly set: readonly (readonly [Target, Expression])[]; readonly body: Body }
  | { readonly type: 'break' | 'continue' }
)

export interface Macro {
  readonly type: 'macro'
  readonly at: number
  readonly name: string
  readonly parameters: readonly Parameter[]
  readonly body: Body
}

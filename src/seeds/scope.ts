/** What operators are made of: they read their operand once, in a scope, and answer a function of the row. */
import type { Datum, Protection, SeedRow } from './datum.ts'
import type { Stream } from './random.ts'

/** The values of a row so far, by column or `$variable` without its dollar. */
export interface Draft {
  readonly number: number
  readonly values: Map<string, Datum>
}

export type Evaluate = (row: Draft) => Datum

/** What an operator may ask for while it reads its operand. */
export interface Scope {
  readonly table: string
  readonly identity: string
  readonly anchorMs: number
  readonly fromMs: number
  /** Random numbers of this column. */
  readonly stream: Stream
  /** Names that are set before this one. */
  readonly names: ReadonlySet<string>
  /** The rows of a table that was listed earlier, by its name with or without the schema. */
  rowsOf(table: string): readonly SeedRow[]
  /** SEED_INVALID at a place below the value. */
  invalid(message: string, hint?: string, path?: readonly PropertyKey[]): Error
}

export interface Compiled {
  readonly evaluate: Evaluate
  readonly protection: Protection | null
  /** True when the value is an id that derives from the row's natural key. */
  readonly identity: boolean
}

export interface Operator {
  readonly options: readonly string[]
  readonly protection?: Protection
  read(operand: unknown, options: Options, scope: Scope): Evaluate
}

export type Options = Readonly<Record<string, unknown>>

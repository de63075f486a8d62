/** A command is a sentence: arguments, one call, one print. Help, completion and the usage in the README come from its description. */
import type { Foundation } from '../foundation.ts'

export interface CommandSpec {
  /** One to three words, such as `apply`, `docs check` or `rollup quarantine list`. */
  readonly name: string
  readonly summary: string
  /** More than the summary, for `--help` of the command. */
  readonly description?: string
  readonly group: 'start' | 'migrations' | 'data' | 'contract' | 'operations'
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  /** Complete command lines that can be copied. */
  readonly examples: readonly string[]
  /** `none` for commands that work without configuration. */
  readonly needs?: 'foundation' | 'none'
  run(context: Context): Promise<Outcome>
}

export interface ArgumentSpec {
  /** In commander's form: `<slug>` or `[file]`. */
  readonly name: string
  readonly description: string
  /** All that it can be, for completion. */
  readonly choices?: readonly string[]
}

export interface OptionSpec {
  /** In commander's form: `--to <version>`. */
  readonly flags: string
  readonly description: string
  readonly choices?: readonly string[]
}

export interface Context {
  readonly foundation: Foundation
  readonly arguments: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  /** Asks for the name of the database on a terminal; elsewhere throws CONFIRMATION_REQUIRED unless `--yes` was given. */
  confirm(question: Confirmation): Promise<void>
}

export interface Confirmation {
  /** What will happen, as one sentence. */
  readonly consequence: string
  /** What has to be typed. */
  readonly name: string
}

export interface Outcome {
  /** The `data` of the JSON document: plain JSON without secrets, except where a command exists to show one. */
  readonly data: unknown
  /** The result for people; written to standard output. */
  readonly text: string
  /** Default 0. */
  readonly exit?: number
  readonly warnings?: readonly string[]
  /** `with its files`: it follows from the files that were read and from nothing else, so until one changes the same call has the same outcome. */
  readonly lasts?: 'with its files' | undefined
}

/** A positive whole number from an option, or undefined. Throws USAGE. */
export function wholeNumber(context: Context, option: string): number | undefined {
  const text = context.options[option]
  if (text === undefined) return undefined
  if (typeof text === 'string' && /^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new RangeError(`--${option} takes a whole number from 1 up`)
}

/** The text of an option, or undefined when it was not given. */
export function text(context: Context, option: string): string | undefined {
  const value = context.options[option]
  return typeof value === 'string' ? value : undefined
}

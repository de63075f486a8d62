/** What a rehearsal runs, before any database is asked. */
import { createHash } from 'node:crypto'
import { asPlinthError, type PlinthError } from '../../errors.ts'
import type { RehearsalFailure } from '../../schema/rehearsal.ts'
import type { Parse, Script } from '../../sql/parse.ts'
import { arrangeAsDirected } from '../arrange.ts'
import { readDirectives } from '../directives.ts'

/** A file of a migration in one direction. */
export interface ScriptToRehearse {
  readonly version: string
  readonly direction: 'up' | 'down'
  /** Null when the SQL comes from the history. */
  readonly file: string | null
  readonly text: string
  /** Its layout has it run without a transaction around it. */
  readonly transaction?: 'none'
  /** Of a history: where it cannot run, the rest goes on without it. */
  readonly optional?: true
  /** No migration, but what its databases have before the first one. */
  readonly prelude?: true
  /** How it was read already, so that nobody does it again. */
  readonly script?: Script | undefined
}

export type Arranged =
  | { readonly input: ScriptToRehearse; readonly script: Script; readonly failure: null }
  | { readonly input: ScriptToRehearse; readonly script: null; readonly failure: RehearsalFailure }

/** As it will run on the target; a file that cannot be read is a failure of its own, and hides no other. */
export function arrangeScript(input: ScriptToRehearse, parse: Parse): Arranged {
  if (input.script) return { input, script: input.script, failure: null }
  const file = input.file ?? input.version
  try {
    const asked = readDirectives(input.text, file)
    const directives =
      input.transaction === 'none' && asked.transaction === 'auto'
        ? { ...asked, transaction: 'none' as const, laidOut: true as const }
        : asked
    return { input, script: arrangeAsDirected(parse(input.text, file), directives, file), failure: null }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (error.code === 'INTERNAL') throw error
    return { input, script: null, failure: failureOf(error, 0) }
  }
}

export function failureOf(error: PlinthError, statement: number): RehearsalFailure {
  const { sqlState = null, message, at } = error
  const hint = lackHint(error)
  return { statement, sqlState, message, hint, line: at?.line ?? 1, column: at?.column ?? 1 }
}

/** With what to do where something is missing that a platform may give outside of the migrations. */
export function lackHint({
  sqlState,
  message,
  hint,
}: Pick<PlinthError, 'sqlState' | 'message' | 'hint'>): string | null {
  if (!lacks.has(sqlState ?? '') && !/^extension ".+" is not available/.test(message)) return hint ?? null
  return `${hint ? `${hint.replace(/\.?$/, '.')} ` : ''}${fromPlatform}`
}

/** A schema, an object such as a role or a type, a function, a table, the file of an extension. */
const lacks: ReadonlySet<string> = new Set(['3F000', '42704', '42883', '42P01', '58P01'])

const fromPlatform =
  'If the platform gives it outside of the migrations, make it in the prelude of the track: "prelude" in the configuration.'

/** One key a prefix of the history, the empty one first: equal keys stand for equal databases. */
export function prefixKeys(history: readonly ScriptToRehearse[], base: string): string[] {
  const keys = [digest(base)]
  for (const { text, transaction = 'auto' } of history)
    keys.push(digest(`${keys.at(-1) ?? ''} ${transaction} ${digest(text)}`))
  return keys
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
}

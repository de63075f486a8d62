/** One message to the database: our own statements around a part of a file, and the way back from its errors to the file. */
import { type Place, PlinthError } from '../errors.ts'
import { indexAt, lineIndex } from '../sql/positions.ts'
import type { Script, Statement } from '../sql/parse.ts'

export interface Message {
  readonly text: string
  /** The file's statements that it holds, in order. */
  readonly statements: readonly Statement[]
  /** Statements of ours before them. */
  readonly before: number
  /** What to add to an index of `text` to get one of the file. */
  readonly shift: number
}

/** `before` and `after` are single statements without semicolons. */
export function composeMessage(
  script: Script,
  statements: readonly Statement[],
  around: { readonly before: readonly string[]; readonly after: readonly string[] },
): Message {
  const start = statements[0]?.start ?? 0
  const end = statements.at(-1)?.end ?? start
  const head = around.before.map(statement => `${statement};\n`).join('')
  const tail = around.after.map(statement => `;\n${statement}`).join('')
  // The line break ends a comment that the file may close with.
  return {
    text: `${head}${script.body.slice(start, end)}\n${tail}`,
    statements,
    before: around.before.length,
    shift: start - head.length,
  }
}

export interface FailedPart {
  readonly message: Message
  /** Statements of the message that were answered, ours included. */
  readonly answered: number
  readonly script: Script
  /** File or label of the migration. */
  readonly file: string
}

/** The same error with the file's own line and column, and the statement that failed. */
export function placeFailure(error: PlinthError, { message, answered, script, file }: FailedPart): PlinthError {
  const statement = message.statements[answered - message.before] ?? null
  const index = positionOf(error, message, script) ?? statement?.start
  const at: Place = {
    file,
    ...(index === undefined ? {} : { ...lineIndex(script.text)(index), source: script.text }),
    ...(error.at?.object === undefined ? {} : { object: error.at.object }),
  }
  return new PlinthError(error.code, error.message, {
    at,
    hint: error.hint,
    sqlState: error.sqlState,
    details: { ...error.details, statement: statement?.index ?? null, summary: statement?.summary ?? null },
    cause: error,
  })
}

function positionOf(error: PlinthError, message: Message, script: Script): number | undefined {
  if (error.at?.line === undefined || error.at.column === undefined) return undefined
  const index = indexAt(message.text, error.at.line, error.at.column) + message.shift
  return index >= 0 && index <= script.text.length ? index : undefined
}

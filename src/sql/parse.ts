/**
 * Reads a file of SQL: where each statement is, what it does, and whether the whole can run in one transaction. PostgreSQL's text is read by
 * PostgreSQL's own parser (libpg-query, which loads on first use); other engines' text is split without a grammar.
 */
import type { Node } from 'libpg-query'
import { PlinthError } from '../errors.ts'
import { type InnerStatement, innerStatements, type Parsers } from './block.ts'
import { describeWords } from './describe-words.ts'
import { summarize, tablesTouched } from './describe.ts'
import { liftRows, type RowBlock } from './inline-rows.ts'
import { byteIndex, codePointIndex, lineIndex } from './positions.ts'
import { psqlHint } from './psql.ts'
import { splitStatements as googleStatements } from './googlesql.ts'
import { type Piece, splitStatements } from './split.ts'
import {
  type ConcurrentIndex,
  concurrentIndex,
  isBare,
  isPlainControl,
  type TransactionControl,
  transactionControl,
} from './transaction.ts'
import { openNode, textOf } from './tree.ts'

export interface Statement {
  /** Counts from 0 in the order of the text. */
  readonly index: number
  readonly text: string
  /** String indexes in the script's text; `end` points behind the last unit, before the semicolon. */
  readonly start: number
  readonly end: number
  readonly line: number
  readonly column: number
  /** The parser's node name, such as `CreateStmt`; for other engines the first keyword. */
  readonly kind: string
  /** Such as `create table platform.users`; holds no literal. */
  readonly summary: string
  /** Tables that it makes, alters, drops or writes, as written. */
  readonly tables: readonly string[]
  readonly control: TransactionControl
  /** The database refuses it inside a transaction block. */
  readonly bare: boolean
  /** It changes the session beyond its transaction (`set search_path`), so a resumed run repeats it. */
  readonly setsSession: boolean
  readonly concurrentIndex: ConcurrentIndex | null
  /** What a `do` block runs, with places in the script's text. */
  readonly inner: readonly InnerStatement[]
  /** The parser's tree; null for other engines. */
  readonly tree: Node | null
}

export interface Script {
  readonly text: string
  /** The text to send: where the file wraps itself in one plain transaction, its `begin` and `commit` are blanked, so positions stay. */
  readonly body: string
  /** Those of `body`. */
  readonly statements: readonly Statement[]
  /** The file wraps itself in one plain transaction. */
  readonly wrapped: boolean
  readonly mode: ScriptMode
  /** Why it is statement-wise, as half a sentence; null for a transactional one. */
  readonly reason: string | null
}

export type ScriptMode = 'transactional' | 'statement-wise'

/** `postgres` for text that PostgreSQL itself would read, `googlesql` for BigQuery's, `other` for everything else. */
export type Dialect = 'postgres' | 'googlesql' | 'other'

/** Throws SQL_SYNTAX and SQL_UNSUPPORTED with file, line, column and source. */
export type Parse = (text: string, file?: string) => Script

/** Loads what the dialect needs once, so that reading files afterwards is synchronous. */
export async function openParser(dialect: Dialect): Promise<Parse> {
  if (dialect !== 'postgres')
    return (text, file) => arrange(text, { body: text, statements: splitWords(text, file, splitters[dialect]) }, file)
  const { loadModule, parseSync, parsePlPgSQLSync } = await import('libpg-query')
  await loadModule()
  const parsers = { sql: parseSync, plpgsql: parsePlPgSQLSync }
  return (text, file) => {
    const { body, statements } = parseTree(parsers, text, file)
    return arrange(text, { body, statements }, file)
  }
}

/** Reads one text. Throws as {@link Parse} does. */
export async function parseSql(
  text: string,
  options: { readonly dialect: Dialect; readonly file?: string },
): Promise<Script> {
  const parse = await openParser(options.dialect)
  return parse(text, options.file)
}

type ParseSync = (text: string) => { readonly stmts?: readonly RawStatement[] }
/** The parser leaves out what is zero, so both numbers may be missing. */
type RawStatement = { readonly stmt?: Node; readonly stmt_location?: number; readonly stmt_len?: number }

/** What is read: `body` is the text without the commands to psql that change nothing. */
interface Read {
  readonly body: string
  readonly statements: readonly Statement[]
}

function parseTree(parsers: Parsers, text: string, file: string | undefined): Read {
  if (text.trim() === '') return { body: text, statements: [] }
  const lines = lineIndex(text)
  const { sql, blocks } = liftRows(text)
  const rowsOf = new Map(blocks.map(block => [block.statement, block]))
  const read = readTree(parsers.sql, { text, sql, file, rowsOf })
  const index = byteIndex(read.sql)
  const statements = read.raws.map((raw, number) => {
    const tree = raw.stmt ?? null
    let summary: string | undefined
    let tables: readonly string[] | undefined
    let inner: readonly InnerStatement[] | undefined
    const start = index(raw.stmt_location ?? 0)
    const rows = rowsOf.get(start)
    const end =
      rows?.close ??
      (raw.stmt_len
        ? index((raw.stmt_location ?? 0) + raw.stmt_len)
        : start + read.sql.slice(start).trimEnd().replace(/;$/, '').length)
    const statement: Statement = {
      index: number,
      text: text.slice(start, end),
      start,
      end,
      ...lines(start),
      kind: openNode(tree)[0],
      // Most of those who read a text ask for neither.
      get summary() {
        return (summary ??= summarize(tree))
      },
      get tables() {
        return (tables ??= tablesTouched(tree))
      },
      control: transactionControl(tree),
      bare: isBare(tree),
      setsSession: setsSession(tree),
      concurrentIndex: concurrentIndex(tree),
      get inner() {
        return (inner ??= statement.kind === 'DoStmt' ? innerOf(statement, parsers) : [])
      },
      tree,
    }
    if (!rows) refuseClientFeatures(statement, text, file)
    return statement
  })
  return { body: withoutCommands(text, read.commands), statements }
}

function innerOf({ text, start }: Statement, parsers: Parsers): readonly InnerStatement[] {
  return innerStatements(text, parsers).map(({ tree, place }) => ({
    tree,
    place: place && { start: start + place.start, end: start + place.end },
  }))
}

interface Reading {
  /** For places and messages. */
  readonly text: string
  /** Without rows. */
  readonly sql: string
  readonly file: string | undefined
  /** By the index of the statement that they belong to. */
  readonly rowsOf: ReadonlyMap<number, RowBlock>
}

/** `sql` is what was read in the end, with spaces for the commands that were left out. */
function readTree(
  parseSync: ParseSync,
  { text, sql, file, rowsOf }: Reading,
  commands: readonly Span[] = [],
): { readonly raws: readonly RawStatement[]; readonly sql: string; readonly commands: readonly Span[] } {
  try {
    return { raws: parseSync(sql).stmts ?? [], sql, commands }
  } catch (error) {
    const at = codePointIndex(sql, cursorOf(error))
    const quiet = quietCommand.exec(sql.slice(at))
    if (quiet) {
      const command = { start: at, end: at + quiet[0].length }
      return readTree(parseSync, { text, sql: withoutCommands(sql, [command]), file, rowsOf }, [...commands, command])
    }
    const before = copyBefore(sql, at, rowsOf)
    if (before !== null) throw unsupported('COPY from STDIN', text, before, file)
    const command = /^\\[a-z!?]+/i.exec(text.slice(at))
    if (command) throw unsupported(`The psql command ${command[0]}`, text, at, file, psqlHint(command[0]))
    const message = error instanceof Error ? error.message : String(error)
    throw new PlinthError('SQL_SYNTAX', withoutLiterals(message), {
      at: place(text, at, file),
      hint: 'Correct the statement; nothing was sent to the database.',
      sqlState: '42601',
    })
  }
}

type Span = Pick<Statement, 'start' | 'end'>

/** What only tells psql how to behave or what to print. `pg_dump` fences what it writes with the first, against what names may hold. */
const quietCommand =
  /^\\(?:(?:un)?restrict|echo|qecho|warn|timing|pset|set[ \t]+(?:ON_ERROR_STOP|QUIET|ECHO|VERBOSITY|SHOW_CONTEXT))\b(?![^\n]*\\)[^\r\n]*/

function withoutCommands(text: string, commands: readonly Span[]): string {
  return commands.reduce(blank, text)
}

/** The parser counts code points from 0. */
function cursorOf(error: unknown): number {
  const details = typeof error === 'object' && error !== null && 'sqlDetails' in error ? error.sqlDetails : undefined
  const cursor =
    typeof details === 'object' && details !== null && 'cursorPosition' in details ? details.cursorPosition : 0
  return typeof cursor === 'number' && cursor > 0 ? cursor : 0
}

/** Data lines of a dump are no SQL, so the error lies behind the statement that announced them. */
function copyBefore(text: string, at: number, rowsOf: Reading['rowsOf']): number | null {
  try {
    const last = splitStatements(text.slice(0, at)).findLast(
      ({ start, end }) => !rowsOf.has(start) && /^copy\b[\s\S]*\bfrom\s+stdin\b/i.test(text.slice(start, end)),
    )
    return last?.start ?? null
  } catch {
    return null
  }
}

function refuseClientFeatures(statement: Statement, text: string, file: string | undefined): void {
  const [kind, fields] = openNode(statement.tree)
  if (kind === 'CopyStmt' && textOf(fields, 'filename') === '') {
    throw unsupported(fields['is_from'] === true ? 'COPY from STDIN' : 'COPY to STDOUT', text, statement.start, file)
  }
  if (kind === 'DiscardStmt' && textOf(fields, 'target') === 'DISCARD_ALL') {
    throw unsupported(
      'DISCARD ALL, which releases the lock of the run,',
      text,
      statement.start,
      file,
      'Leave it out: the session is reset after every file.',
    )
  }
}

function setsSession(tree: unknown): boolean {
  const [kind, fields] = openNode(tree)
  return (
    kind === 'VariableSetStmt' &&
    fields['is_local'] !== true &&
    !/^(TRANSACTION|SESSION CHARACTERISTICS)/.test(textOf(fields, 'name'))
  )
}

const splitters = { googlesql: splitGoogleSql, other: splitStatements } as const

/** A statement may be a block with statements in it. */
function splitGoogleSql(text: string): Piece[] {
  return googleStatements(text).map(piece => ({ start: piece.offset, end: piece.offset + piece.text.length }))
}

function splitWords(
  text: string,
  file: string | undefined,
  split: (text: string, file?: string) => Piece[],
): Statement[] {
  const lines = lineIndex(text)
  return split(text, file).map((piece, index) => {
    const own = text.slice(piece.start, piece.end)
    return {
      index,
      text: own,
      ...piece,
      ...lines(piece.start),
      ...describeWords(own),
      concurrentIndex: null,
      inner: [],
      tree: null,
    }
  })
}

/** Decides how the statements can run, and takes a plain transaction around all of them away. */
function arrange(text: string, { body, statements }: Read, file: string | undefined): Script {
  assertBalanced(text, statements, file)
  const first = statements[0]
  const last = statements.at(-1)
  const inner = statements.slice(1, -1)
  const wrapped =
    first?.control === 'begin' &&
    last?.control === 'commit' &&
    inner.every(statement => statement.control === null && !statement.bare)
  if (wrapped && isPlain(first) && isPlain(last)) {
    return {
      text,
      body: blank(blank(body, first), last),
      statements: inner.map((statement, index) => ({ ...statement, index })),
      wrapped,
      mode: 'transactional',
      reason: null,
    }
  }
  const reason = reasonForStatements(statements)
  return { text, body, statements, wrapped: false, mode: reason === null ? 'transactional' : 'statement-wise', reason }
}

function reasonForStatements(statements: readonly Statement[]): string | null {
  const bare = statements.find(statement => statement.bare)
  if (bare) return `"${bare.summary}" cannot run in a transaction`
  if (statements.some(statement => statement.control !== null)) return 'the file has transactions of its own'
  const value = statements.find((statement, index) => usesAddedValue(statement, statements, index))
  return value ? `"${value.summary}" adds a value that a later statement uses` : null
}

/** PostgreSQL refuses to use an enum value in the transaction that added it (55P04), unless the type is as new. */
function usesAddedValue(statement: Statement, statements: readonly Statement[], index: number): boolean {
  const [kind, fields] = openNode(statement.tree)
  const value = textOf(fields, 'newVal')
  if (kind !== 'AlterEnumStmt' || value === '' || fields['oldVal'] !== undefined) return false
  const type = JSON.stringify(fields['typeName'])
  const madeHere = statements
    .slice(0, index)
    .some(
      earlier => earlier.kind === 'CreateEnumStmt' && JSON.stringify(openNode(earlier.tree)[1]['typeName']) === type,
    )
  const literal = `'${value.replaceAll("'", "''")}'`
  return (
    !madeHere &&
    statements.slice(index + 1).some(later => later.kind !== 'AlterEnumStmt' && later.text.includes(literal))
  )
}

/** A transaction left open would swallow the history row; a chained one never ends. */
function assertBalanced(text: string, statements: readonly Statement[], file: string | undefined): void {
  let open: Statement | null = null
  // A file may end the transaction that its tool put around it, and begin another one for the tool to end.
  let endsAnother = false
  for (const statement of statements) {
    if (statement.control === 'begin') open ??= statement
    if (statement.control === 'commit' || statement.control === 'rollback') {
      endsAnother ||= open === null
      open = null
    }
    if (statement.control !== null && openNode(statement.tree)[1]['chain'] === true) {
      throw unsupported(
        'A chained transaction',
        text,
        statement.start,
        file,
        'End the transaction, then begin a new one.',
      )
    }
  }
  if (open && !endsAnother)
    throw unsupported('A transaction that the file never ends', text, open.start, file, 'Add the commit.')
}

function isPlain(statement: Statement): boolean {
  return statement.tree === null
    ? /^(begin|commit|end|start)(\s+transaction|\s+work)?$/i.test(statement.text)
    : isPlainControl(statement.tree)
}

function blank(text: string, { start, end }: Span): string {
  return text.slice(0, start) + text.slice(start, end).replace(/[^\r\n]/g, ' ') + text.slice(end)
}

/** The parser quotes the word near the error; a literal among them may be a secret. */
function withoutLiterals(message: string): string {
  return message.replace(/ at or near "(['$eE][\s\S]*)"$/, ' at or near a quoted text')
}

function unsupported(what: string, text: string, at: number, file: string | undefined, hint?: string): PlinthError {
  return new PlinthError('SQL_UNSUPPORTED', `${what} cannot run in a migration.`, {
    at: place(text, at, file),
    hint: hint ?? 'Only an interactive client can serve it: write the rows as INSERT, or remove the command.',
  })
}

function place(text: string, at: number, file: string | undefined) {
  return { ...(file === undefined ? {} : { file }), ...lineIndex(text)(at), source: text }
}

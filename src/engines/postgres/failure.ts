/**
 * Turns what `pg` throws into a PlinthError. Literals and row data stop here: PostgreSQL's DETAIL and the quoted values of its messages
 * can hold a customer's e-mail, so only what names objects of the schema passes.
 */
import { type Code, PlinthError, type PlinthErrorOptions } from '../../errors.ts'

export interface FailureContext {
  /** `host:port/database`. */
  readonly address: string
  /** The text that was sent, so that a position becomes line and column. */
  readonly text?: string
  /** For a script: the number of statements that finished before. */
  readonly statement?: number
  readonly phase?: 'connect' | 'work'
  /** The session asked the server to cancel. */
  readonly cancelled?: boolean
}

/** The same failure as a PlinthError; one that already is passes unchanged. */
export function translate(thrown: unknown, context: FailureContext): PlinthError {
  if (thrown instanceof PlinthError) return thrown
  const error = thrown as ServerFailure
  if (typeof error?.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) && typeof error.severity === 'string') {
    return fromServer(error, context)
  }
  return fromNetwork(error, context)
}

/** The server is there but not ready, or not there yet: worth another try while it starts. */
export function isStarting(thrown: unknown): boolean {
  const { code, message } = thrown as ServerFailure
  return (
    ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', '57P03'].includes(code ?? '') ||
    /terminated unexpectedly/.test(message ?? '')
  )
}

/** Line and column, from 1, of the position that PostgreSQL counts in characters, from 1. */
export function placeOf(text: string, position: number): { readonly line: number; readonly column: number } {
  const before = Array.from(text)
    .slice(0, position - 1)
    .join('')
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: Array.from(before.slice(lineStart)).length + 1 }
}

interface ServerFailure {
  readonly message?: string
  readonly code?: string
  readonly severity?: string
  readonly detail?: string
  readonly hint?: string
  readonly position?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
}

function fromServer(error: ServerFailure, context: FailureContext): PlinthError {
  const sqlState = error.code ?? ''
  const code = codeOf(sqlState, error.message ?? '', context)
  return new PlinthError(code, messageOf(error, code, context), {
    sqlState,
    at: placeOfFailure(error, code, context),
    hint: error.hint || poolerHint(sqlState, error.message ?? '') || hints[code] || stateHints[sqlState],
    details: detailsOf(error, context),
  })
}

function codeOf(sqlState: string, message: string, context: FailureContext): Code {
  const exact = states[sqlState]
  if (exact) return exact
  if (sqlState === '57014') return whyCancelled(message, context)
  if (isRefusedOption(sqlState, message) || isStatementPooling(message)) return 'DATABASE_URL_INVALID'
  if (sqlState === '58030' && /no space left/i.test(message)) return 'DISK_FULL'
  const ofClass = classes[sqlState.slice(0, 2)]
  if (ofClass) return ofClass
  return context.phase === 'connect' ? 'DATABASE_UNREACHABLE' : 'SQL_FAILED'
}

/** PgBouncer's word for what a client asks of the server process that it does not have yet. */
function isRefusedOption(sqlState: string, message: string): boolean {
  return sqlState === '08P01' && /unsupported startup parameter/.test(message)
}

/** Its word for a transaction where it hands out server processes by the statement. */
function isStatementPooling(message: string): boolean {
  return /not allowed in statement pooling mode/.test(message)
}

function poolerHint(sqlState: string, message: string): string | undefined {
  if (isStatementPooling(message))
    return 'Name a port of the pooler with pool_mode transaction or session, or the server itself.'
  return isRefusedOption(sqlState, message) ? optionHint : undefined
}

/** The server speaks one SQLSTATE for both; the message may be in the server's own language. */
function whyCancelled(message: string, context: FailureContext): Code {
  if (/\bCOPY\b/.test(message)) return 'SQL_UNSUPPORTED'
  if (/user request/.test(message) || context.cancelled) return 'INTERRUPTED'
  return 'STATEMENT_TIMEOUT'
}

const states: Readonly<Record<string, Code>> = {
  '3D000': 'DATABASE_UNKNOWN',
  '25006': 'DATABASE_READ_ONLY',
  '25P03': 'CONNECTION_LOST',
  '25P04': 'STATEMENT_TIMEOUT',
  '42501': 'PERMISSION_DENIED',
  '42601': 'SQL_SYNTAX',
  '53100': 'DISK_FULL',
  '53300': 'DATABASE_UNREACHABLE',
  '55P03': 'LOCK_TIMEOUT',
  '57P01': 'CONNECTION_LOST',
  '57P02': 'CONNECTION_LOST',
  '57P03': 'DATABASE_UNREACHABLE',
  '57P04': 'CONNECTION_LOST',
  '57P05': 'CONNECTION_LOST',
}

const classes: Readonly<Record<string, Code>> = {
  '08': 'CONNECTION_LOST',
  '23': 'CONSTRAINT_VIOLATED',
  '28': 'DATABASE_AUTHENTICATION',
}

const hints: Readonly<Partial<Record<Code, string>>> = {
  DATABASE_AUTHENTICATION: 'Check user and password of the database URL, or PGUSER and PGPASSWORD.',
  DATABASE_UNKNOWN: 'Create the database, or correct the last part of the database URL.',
  DATABASE_UNREACHABLE: 'Check that the server runs and that host and port of the database URL are right.',
  CONNECTION_LOST: 'Run the command again; what was not committed was rolled back by the server.',
  DATABASE_READ_ONLY:
    'Name the primary in the database URL. Where role or database have default_transaction_read_only, add ?options=-c%20default_transaction_read_only=off to it.',
  DISK_FULL: 'Free some room on the server, then run the command again.',
  LOCK_TIMEOUT: 'Another session holds a lock on the object. Run again when it is done, or raise the lock timeout.',
  STATEMENT_TIMEOUT: 'Raise the statement timeout, or split the statement into smaller ones.',
  PERMISSION_DENIED: 'Grant the right to the role of the database URL, or use a role that has it.',
}

const optionHint =
  'Take "options" out of the database URL and PGOPTIONS, or let the pooler pass it by (ignore_startup_parameters = options).'

const stateHints: Readonly<Record<string, string>> = {
  '25P02': 'An earlier statement of the transaction failed; roll it back first.',
  '3F000':
    'No schema of the search path is there: create it, or write names with their schema. The path comes from the role, the database or the URL.',
  '22P02': 'A row holds a text that is no such value. Correct the row, or convert what can be converted with a case.',
  '23502': 'A row has no value there. Give it one before this statement.',
  '23503': 'A row refers to one that is not there. Insert that one, or delete the row, before this statement.',
  '23505': 'Rows have the same key: group by it, having count(*) > 1. Part them before this statement.',
  '23514': 'A row breaks the check. Correct it before this statement, or add the constraint as not valid.',
  '40001': 'Another transaction changed the same rows. Safe to run again.',
  '40P01': 'Two sessions waited for each other. Safe to run again.',
  '42P01': 'Check the spelling and the schema of the name; is an earlier migration missing?',
  '42P07':
    'It is there already: made by hand, by another tool (plinth adopt, plinth baseline VERSION), or left by a down that does not undo its up (plinth verify).',
  '55006': 'Close the other sessions that use it.',
}

function messageOf(error: ServerFailure, code: Code, context: FailureContext): string {
  if (code === 'SQL_UNSUPPORTED') return 'COPY FROM STDIN needs a client that sends the rows.'
  const message = redact(error.message ?? 'The server refused the statement', error.code ?? '')
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? '' : '.'}`
  return context.phase === 'connect' ? `${context.address}: ${sentence}` : sentence
}

/** Class 22 (data exception) and syntax errors quote values; names of objects appear elsewhere. */
function redact(message: string, sqlState: string): string {
  // These quote the names of encodings, and the bytes of a value.
  if (sqlState === '22P05' || sqlState === '22021') return message.replace(/:?(?: 0x[0-9a-f]{2})+/gi, '')
  if (sqlState.startsWith('22'))
    return message.replace(quoted, ' "…"').replace(/: [^:]*$/, match => (match.includes('…') ? match : ''))
  if (sqlState !== '42601') return message
  if (/ at or near "/.test(message))
    return message.replace(/ at or near "(?![\p{L}_][\p{L}\p{N}_.$]*"$)(?![^\p{L}\p{N}'"$]{1,3}"$)[^]*"$/u, '')
  return message.replace(quoted, (span, inner: string) =>
    /^(?:[\p{L}_][\p{L}\p{N}_.$]*|[^\p{L}\p{N}'"$]{1,3})$/u.test(inner) ? span : '',
  )
}

/** From the first mark of a quotation to the last, in the marks of every language that the server speaks. */
const quoted = /:? ?["«»„“”‹›「『]([^]*)["«»“”‹›」』]/gu

function placeOfFailure(error: ServerFailure, code: Code, context: FailureContext): PlinthErrorOptions['at'] {
  const object =
    objectOf(error) ?? (context.phase === 'connect' || code === 'CONNECTION_LOST' ? context.address : undefined)
  const position = Number(error.position)
  const found =
    context.text !== undefined && position > 0 ? { ...placeOf(context.text, position), source: context.text } : {}
  const at = { ...found, ...(object === undefined ? {} : { object }) }
  return Object.keys(at).length > 0 ? at : undefined
}

function objectOf(error: ServerFailure): string | undefined {
  if (!error.table) return undefined
  const table = error.schema ? `${error.schema}.${error.table}` : error.table
  return error.column ? `${table}.${error.column}` : table
}

function detailsOf(error: ServerFailure, context: FailureContext): Readonly<Record<string, unknown>> | undefined {
  const details = {
    ...(error.table ? { table: error.schema ? `${error.schema}.${error.table}` : error.table } : {}),
    ...(error.column ? { column: error.column } : {}),
    ...(error.constraint ? { constraint: error.constraint } : {}),
    ...(error.detail && namesOnly.has((error.code ?? '').slice(0, 2)) ? { serverDetail: error.detail } : {}),
    ...(context.statement === undefined || error.code === '42601' ? {} : { statement: context.statement }),
  }
  return Object.keys(details).length > 0 ? details : undefined
}

/** Classes whose DETAIL speaks of objects, never of rows: dependent objects, syntax and access, prerequisites. */
const namesOnly: ReadonlySet<string> = new Set(['0A', '2B', '42', '55'])

function fromNetwork(error: ServerFailure, context: FailureContext): PlinthError {
  const message = error?.message ?? ''
  if (/password must be a|no password/i.test(message)) {
    return new PlinthError(
      'DATABASE_AUTHENTICATION',
      `${context.address}: the server asks for a password and none was given.`,
      {
        at: { object: context.address },
        hint: 'Put the password into the database URL, or set PGPASSWORD.',
      },
    )
  }
  const code = context.phase === 'connect' ? 'DATABASE_UNREACHABLE' : 'CONNECTION_LOST'
  return new PlinthError(code, `${context.address}: ${networkReason(error, context)}.`, {
    at: { object: context.address },
    hint: isAboutTls(error) ? 'Check sslmode and sslrootcert of the database URL.' : hints[code],
    details: error?.code ? { reason: error.code } : undefined,
    cause: thrownByDefect(error) ? error : undefined,
  })
}

function isAboutTls({ code, message }: ServerFailure): boolean {
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code ?? '') || /SSL|certificate/i.test(message ?? '')
}

/** A TypeError inside the driver is a defect to be seen, not a broken network. */
function thrownByDefect(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError
}

function networkReason(error: ServerFailure, context: FailureContext): string {
  const known = reasons[error?.code ?? '']
  if (known) return known
  if (/timeout expired/.test(error?.message ?? '')) return 'no answer in time'
  if (context.phase !== 'connect') return 'the connection was lost'
  if (/terminated unexpectedly/.test(error?.message ?? '')) return 'the server closed the connection at once'
  return error?.message ?? 'the connection could not be made'
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the network',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ENOENT: 'there is no such socket',
  EACCES: 'the socket may not be used by this user',
}

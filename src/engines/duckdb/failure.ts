/**
 * DuckDB's errors as PlinthErrors. DuckDB quotes values in its messages ("Could not convert string 'x'", "duplicate key \"x\""), so only
 * what is known to be free of row data and literals is kept; the place in the text tells the rest.
 */
import { type Code, type Place, PlinthError } from '../../errors.ts'

/** `text` is what was sent; positions in the error count in `script`, where `text` begins at `offset`. */
export interface Sent {
  readonly text: string
  readonly script: string
  readonly offset: number
  /** For a script: the number of statements that finished before. */
  readonly statement?: number
  readonly address: string
}

/** What DuckDB threw while it ran a statement. */
export function statementFailure(thrown: unknown, sent: Sent): PlinthError {
  if (thrown instanceof PlinthError) return thrown
  const { kind, message, excerpt } = readMessage(thrown)
  const said = describeFailure(kind, message)
  const place = (excerpt ? placeOf(excerpt, sent) : undefined) ?? startOf(sent)
  return new PlinthError(said.code, said.message, {
    at: { object: sent.address, ...place },
    hint: said.hint,
    details: { kind, ...(sent.statement === undefined || kind === 'Parser' ? {} : { statement: sent.statement }) },
  })
}

/** What DuckDB threw while it opened a file that is not merely busy. */
export function openFailure(thrown: unknown, address: string): PlinthError {
  const { message } = readMessage(thrown)
  const failure = (code: Code, text: string, hint: string) =>
    new PlinthError(code, text, { at: { object: address }, hint })
  if (diskFull.test(message))
    return failure(
      'DISK_FULL',
      `No space is left on the disk of ${address}.`,
      'Free some room, then run the command again.',
    )
  if (/not a valid DuckDB database file/i.test(message)) {
    return failure(
      'DATABASE_UNKNOWN',
      `${address} exists, but it is not a DuckDB database.`,
      'Name another file, or move this one away to start an empty warehouse.',
    )
  }
  if (/version number|newer version|storage version/i.test(message)) {
    return failure(
      'DATABASE_UNREACHABLE',
      `${address} was written by another version of DuckDB that this one cannot read.`,
      'Upgrade Plinth, or export the file with the DuckDB that wrote it.',
    )
  }
  if (/corrupt|checksum|deserialize/i.test(message)) {
    return failure(
      'DATABASE_UNREACHABLE',
      `${address} is damaged: its checksums do not match.`,
      'Restore the file, or remove it and rebuild the warehouse with `plinth rollup backfill`.',
    )
  }
  if (/permission denied/i.test(message))
    return failure(
      'DATABASE_UNREACHABLE',
      `${address} may not be opened: permission denied.`,
      'Give this user the right to read and write the file and its folder.',
    )
  if (/is a directory/i.test(message))
    return failure(
      'DATABASE_URL_INVALID',
      `${address} is a folder, not a file.`,
      'Name a file, such as duckdb:.plinth/warehouse.duckdb.',
    )
  return failure(
    'DATABASE_UNREACHABLE',
    `${address} cannot be opened.`,
    'Look at the file and its folder, then run the command again.',
  )
}

/** Who holds the file, read from DuckDB's refusal; undefined when the error is another one. */
export function busyHolder(
  thrown: unknown,
): { readonly program: string | null; readonly processId: number | null } | undefined {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  if (!/could not set lock on file|file is already open in|being used by another process/i.test(message))
    return undefined
  const holder = /(?:lock is held in|already open in)\s+(.+?)\s+\(PID (\d+)\)/is.exec(message)
  return { program: holder?.[1] ?? null, processId: holder ? Number(holder[2]) : null }
}

const diskFull =
  /no space left|disk quota exceeded|not enough space|could not write (?:all )?bytes|could not write file/i

interface Said {
  readonly code: Code
  readonly message: string
  readonly hint?: string
}

function describeFailure(kind: string, message: string): Said {
  if (diskFull.test(message))
    return {
      code: 'DISK_FULL',
      message: 'No space is left on the disk of the warehouse.',
      hint: 'Free some room, then run the command again.',
    }
  const csvLine = /CSV Error on Line: (\d+)/.exec(message)
  if (csvLine) return { code: 'SQL_FAILED', message: `Line ${csvLine[1]} of the CSV data does not fit the columns.` }
  switch (kind) {
    case 'Parser':
      return { code: 'SQL_SYNTAX', message: withoutLiterals(message) }
    case 'Constraint':
      return { code: 'CONSTRAINT_VIOLATED', message: constraintMessage(message) }
    case 'INTERRUPT':
      return { code: 'INTERRUPTED', message: 'The statement was cancelled.' }
    case 'Out of Memory':
      return {
        code: 'WAREHOUSE_FAILED',
        message: 'The warehouse ran out of memory.',
        hint: 'Raise memory_limit, or give DuckDB room to spill in its temp_directory.',
      }
    case 'FATAL':
    case 'INTERNAL':
      return {
        code: 'WAREHOUSE_FAILED',
        message: 'DuckDB stopped with an internal error. The file keeps what was committed.',
        hint: 'Run the command again; if it comes back, report it.',
      }
    case 'Conversion':
    case 'Mismatch Type':
      return { code: 'SQL_FAILED', message: conversionMessage(message) }
    case 'Invalid Input':
      return { code: 'SQL_FAILED', message: inputMessage(message) }
    case 'Out of Range':
      return { code: 'SQL_FAILED', message: 'A number is out of the range of its type.' }
    case 'TransactionContext':
      return {
        code: 'SQL_FAILED',
        message: withoutLiterals(message),
        hint: 'Another session of this process changed the same rows, or an earlier statement failed. Run it again.',
      }
    case 'IO':
      return {
        code: 'SQL_FAILED',
        message: 'A file that the statement names cannot be read or written.',
        hint: 'Check that the file exists and that this user may use it.',
      }
    default:
      return { code: 'SQL_FAILED', message: withoutLiterals(message) }
  }
}

/** Splits `Kind Error: text \n\n LINE n: excerpt \n ^`. */
function readMessage(thrown: unknown): {
  readonly kind: string
  readonly message: string
  readonly excerpt: string | null
} {
  const raw = (thrown instanceof Error ? thrown.message : String(thrown)).replace(/^Failed to extract statements: /, '')
  const kind = /^([A-Za-z][A-Za-z ]*?) ?(?:Error|exception): /i.exec(raw)
  const body = kind ? raw.slice(kind[0].length) : raw
  const line = /\n+(LINE \d+: [\s\S]*)$/.exec(body)
  return {
    kind: kind?.[1] ?? '',
    message: (line ? body.slice(0, line.index) : body).trim(),
    excerpt: line?.[1] ?? null,
  }
}

/** Names in double quotes stay, since they come from the statement's own text; literals in single quotes and bare numbers go. */
function withoutLiterals(message: string): string {
  const text = message
    .replace(/(near|at) "('[^"]*|[\d.]+|\$[^"]*\$[^"]*)"/gi, '$1 a literal')
    .replace(/'(?:[^']|'')*'/g, "'…'")
    .replace(/\s*\n+\s*/g, ' ')
    .trim()
  return text.endsWith('.') || text.endsWith('!') || text.endsWith('?') ? text : `${text}.`
}

function constraintMessage(message: string): string {
  const notNull = /^NOT NULL constraint failed: (\S+)/.exec(message)
  if (notNull) return `The column ${notNull[1]} may not be null.`
  const check = /^CHECK constraint failed on table (\S+) with expression (CHECK[\s\S]*)$/.exec(message)
  if (check)
    return `The check of table ${check[1]} refused a row: ${(check[2] ?? '').replace(/'(?:[^']|'')*'/g, "'…'")}.`
  if (/foreign key/i.test(message)) {
    return /still referenced/i.test(message)
      ? 'A row cannot be removed while a foreign key still refers to it.'
      : 'A foreign key refers to a row that does not exist.'
  }
  if (/duplicate key/i.test(message)) return 'A primary key or unique constraint refused a duplicate key.'
  return 'A constraint refused a row.'
}

function conversionMessage(message: string): string {
  const unquoted = message.replace(/'[\s\S]*'|"[\s\S]*"/g, '')
  const types = [
    ...unquoted.matchAll(
      /\b(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|U?INT(?:8|16|32|64|128)|DECIMAL\(\d+,\s?\d+\)|DOUBLE|FLOAT|BOOL(?:EAN)?|DATE|TIME|TIMESTAMP(?: WITH TIME ZONE)?|UUID|BLOB|VARCHAR)\b/g,
    ),
  ]
  const target =
    types.at(-1)?.[0] ??
    (/date field/i.test(message)
      ? 'DATE'
      : /timestamp field/i.test(message)
        ? 'TIMESTAMP'
        : /JSON/.test(message)
          ? 'JSON'
          : undefined)
  return target
    ? `A value cannot be converted to ${target}.`
    : 'A value cannot be converted to the type that is needed.'
}

function inputMessage(message: string): string {
  if (/^(?:Expected \d+ parameters|Values were not provided for)/.test(message))
    return withoutLiterals(message.split('\n')[0] ?? '')
  return 'A function refused its input.'
}

/** Finds the caret of the excerpt in what was sent. Lines and columns count in the script, columns in characters. */
function placeOf(excerpt: string, sent: Sent): Place | undefined {
  const parts = /^LINE (\d+): ([^\n]*)\n( *)\^/.exec(excerpt)
  if (!parts) return undefined
  const [, lineNumber = '1', shown = '', blanks = ''] = parts
  const lines = sent.text.split('\n')
  const line = lines[Number(lineNumber) - 1] ?? ''
  const lineStart = lines.slice(0, Number(lineNumber) - 1).reduce((sum, before) => sum + before.length + 1, 0)
  // A long line is shown in part, between dots.
  const lead = shown.startsWith('...') ? 3 : 0
  const shownStart = Math.max(0, line.indexOf(shown.slice(lead).replace(/\.\.\.$/, '')) - lead)
  const column = shownStart + unitsOfWidth(shown, blanks.length - `LINE ${lineNumber}: `.length)
  return positionOf(sent.script, sent.offset + lineStart + column)
}

/** Where the statement begins, for errors that DuckDB does not place; said of scripts alone, where it tells something. */
function startOf(sent: Sent): Place | undefined {
  return sent.statement === undefined ? undefined : positionOf(sent.script, sent.offset)
}

function positionOf(script: string, offset: number): Place {
  const before = script.slice(0, offset).split('\n')
  return { line: before.length, column: Array.from(before.at(-1) ?? '').length + 1 }
}

/** The caret counts screen cells: tabs and combining marks take none, wide characters two. Answers UTF-16 units. */
function unitsOfWidth(text: string, width: number): number {
  let units = 0
  let cells = 0
  for (const character of text) {
    const size = narrow.test(character) ? 0 : wide.test(character) ? 2 : 1
    if (cells >= width && size > 0) break
    cells += size
    units += character.length
  }
  return units
}

const narrow = /[\p{M}\p{Cc}]/u
const wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u

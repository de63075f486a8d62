/** How results and failures look to people. Colours only where the stream shows them. */
import { stripVTControlCharacters } from 'node:util'
import pico from 'picocolors'
import { codes, type PlinthError } from '../errors.ts'

export { count, duration } from '../telemetry/sinks/sentences.ts'

const colourNames = ['bold', 'dim', 'red', 'green', 'yellow', 'blue', 'cyan'] as const

type Paint = Readonly<Record<(typeof colourNames)[number], (text: string | number) => string>>

/** Colours where the caller's stream shows them; who calls may change in a process that stays. */
export const paint = Object.fromEntries(
  colourNames.map(name => [name, (text: string | number) => chosen[name](text)]),
) as Paint

let chosen: Paint = coloursFor(process)

/** Chooses anew, as when a process starts. */
export function paintFor(caller: Caller): void {
  chosen = coloursFor(caller)
}

type Caller = Pick<NodeJS.Process, 'argv' | 'env' | 'stdout'>

/** What goes into a file or a pipe is read by programs, in continuous integration as well, so colours there have to be asked for. */
function coloursFor({ argv, env, stdout }: Caller): Paint {
  const isRefused = Boolean(env['NO_COLOR']) || argv.includes('--no-color')
  const forced = env['FORCE_COLOR']
  const isPlain = forced ? /^(0|false)$/i.test(forced) : !stdout.isTTY || env['TERM'] === 'dumb'
  return pico.createColors(!isRefused && !isPlain)
}

/** Aligned columns; a cell may hold colour codes, which take no width. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map(row => width(row[column] ?? ''))))
  const line = (cells: readonly string[], dress: (cell: string) => string) =>
    cells
      .map((cell, column) => dress(cell) + ' '.repeat((widths[column] ?? 0) - width(cell)))
      .join('  ')
      .trimEnd()
  return [line(header, cell => paint.dim(cell)), ...rows.map(row => line(row, cell => cell))].join('\n')
}

/** A failure for people: what, where with a code frame, why, and the next step. */
export function failure(error: PlinthError, verbose: 'verbose' | 'plain'): string {
  const at = error.at
  const place = at?.file ? `${at.file}${at.line ? `:${at.line}${at.column ? `:${at.column}` : ''}` : ''}` : at?.object
  return [
    `${paint.red(paint.bold(`✗ ${error.code}`))}${error.sqlState ? paint.dim(` (SQLSTATE ${error.sqlState})`) : ''}  ${error.message}`,
    place ? `  ${paint.dim('at')} ${place}` : '',
    at?.source && at.line ? codeFrame(at.source, at.line, at.column) : '',
    `  ${paint.cyan('→')} ${error.hint ?? codes[error.code].explain}`,
    paint.dim(`  plinth explain ${error.code}`),
    verbose === 'verbose' && error.stack ? paint.dim(stackOf(error)) : '',
  ]
    .filter(Boolean)
    .join('\n')
}

/** The line of the place between its neighbours, with a caret below the column. */
export function codeFrame(source: string, line: number, column: number | undefined): string {
  const lines = linesOf(source)
  const first = Math.max(1, line - 2)
  const last = Math.min(lines.length, line + 1)
  const gutter = String(last).length
  const frame: string[] = []
  for (let number = first; number <= last; number++) {
    const text = clip(lines[number - 1] ?? '')
    frame.push(
      `  ${number === line ? paint.red('>') : ' '} ${paint.dim(`${String(number).padStart(gutter)} |`)} ${text}`,
    )
    if (number === line && column !== undefined && column <= 160)
      frame.push(`    ${paint.dim(`${' '.repeat(gutter)} |`)} ${' '.repeat(Math.max(0, column - 1))}${paint.red('^')}`)
  }
  return frame.join('\n')
}

function linesOf(source: string): readonly string[] {
  if (source !== last.source) last = { source, lines: source.split(source.includes('\r') ? /\r?\n/ : '\n') }
  return last.lines
}

/** A text has many places to show before it is the next one's turn. */
let last: { readonly source: string; readonly lines: readonly string[] } = { source: '', lines: [''] }

/** The error's part of the JSON document. */
export function failureData(error: PlinthError): Record<string, unknown> {
  return {
    code: error.code,
    message: error.message,
    explain: codes[error.code].explain,
    hint: error.hint ?? null,
    sqlState: error.sqlState ?? null,
    location: error.at
      ? {
          file: error.at.file ?? null,
          line: error.at.line ?? null,
          column: error.at.column ?? null,
          object: error.at.object ?? null,
        }
      : null,
    details: error.details ?? null,
  }
}

function stackOf(error: PlinthError): string {
  const cause = error.cause instanceof Error && error.cause.stack ? `\ncaused by ${error.cause.stack}` : ''
  return `${error.stack ?? ''}${cause}`
}

function clip(text: string): string {
  return text.length > 160 ? `${text.slice(0, 159)}…` : text
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length
}

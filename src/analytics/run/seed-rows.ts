/** Rows out of a file in CSV, with the types that dbt infers for its columns. Pure. */
import { type Place, PlinthError } from '../../errors.ts'

export interface SeedRows {
  readonly columns: readonly SeedColumn[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface SeedColumn {
  readonly name: string
  /** As files write types for every engine. */
  readonly type: string
}

export interface Reading {
  readonly delimiter: string
  /** Types by column, for those that are not inferred. */
  readonly columnTypes: Readonly<Record<string, string>>
  /** Whether the word null is none in a column of text as well. */
  readonly nullWord: 'none' | 'text'
}

/**
 * Empty values are none, and so is the word null where it is no text. Throws TRANSFORM_INVALID, with the line, for a row that is not as wide as
 * the header. An empty file has no columns.
 */
export function seedRows(text: string, reading: Reading, file: string): SeedRows {
  const [header, ...lines] = recordsOf(text.replace(/^\uFEFF/, ''), reading.delimiter, file)
  if (!header) return { columns: [], rows: [] }
  const names = uniqueNames(header.values)
  const wrong = lines.find(({ values }) => values.length !== names.length)
  if (wrong) {
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `This row has ${wrong.values.length} values, and the header has ${names.length}.`,
      { at: { file, line: wrong.line }, hint: 'Put values that hold the delimiter into double quotes.' },
    )
  }
  const columns = names.map((name, at) => {
    const given = reading.columnTypes[name]
    return { name, type: given ?? inferredType(lines.map(({ values }) => values[at] ?? '')) }
  })
  const rows = lines.map(({ values }) =>
    values.map((value, at) => (isNone(value, columns[at]?.type ?? 'text', reading.nullWord) ? null : value)),
  )
  return { columns, rows }
}

function isNone(value: string, type: string, nullWord: Reading['nullWord']): boolean {
  if (value === '') return true
  const isText = /char|text|string/i.test(type)
  return (!isText || nullWord === 'none') && /^\s*(null)?\s*$/i.test(value)
}

/** The narrowest type of dbt's that all values have; text where none does. */
function inferredType(values: readonly string[]): string {
  const present = values.map(value => value.trim()).filter(value => !/^(null)?$/i.test(value))
  const all = (test: (value: string) => boolean) => present.every(test)
  if (all(value => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))) return numberType(present)
  if (all(isDay)) return 'date'
  // The clock is read as a time on no zone's, `datetime` to every engine.
  if (all(value => isDay(value.slice(0, value.indexOf(' '))) && /^[\d-]+ \d{1,2}:\d{1,2}:\d{1,2}$/.test(value)))
    return 'datetime'
  if (all(value => isDay(value.slice(0, 10)) && isoTime.test(value.slice(10)))) return 'datetime'
  return all(value => /^(true|false)$/i.test(value)) ? 'boolean' : 'text'
}

const isoTime = /^T\d{2}(:\d{2}(:\d{2}([.,]\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?$/

/** A number that is whole counts as a whole one however it is written. */
function numberType(values: readonly string[]): string {
  if (values.some(value => !isWhole(value))) return 'double'
  const widest = values.reduce((most, value) => Math.max(most, Math.abs(Number(value))), 0)
  if (widest <= 2_147_483_647) return 'integer'
  if (widest < 9.2e18) return 'bigint'
  return widest < 1e38 ? 'decimal(38, 0)' : 'double'
}

function isWhole(value: string): boolean {
  return /e/i.test(value) ? Number.isInteger(Number(value)) : !/\.\d*[1-9]/.test(value)
}

function isDay(text: string): boolean {
  const [, year = '', month = '', day = ''] = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text) ?? []
  if (year === '') return false
  const date = new Date(Date.UTC(2000, Number(month) - 1, Number(day)))
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

/** A name that comes again is told apart by a number, and one that is missing is a letter. */
function uniqueNames(given: readonly string[]): string[] {
  const names: string[] = []
  for (const [at, one] of given.entries()) {
    const name = one === '' ? letters(at) : one
    let free = name
    for (let number = 2; names.includes(free); number++) free = `${name}_${number}`
    names.push(free)
  }
  return names
}

function letters(at: number): string {
  return (at >= 26 ? letters(Math.floor(at / 26) - 1) : '') + String.fromCodePoint(97 + (at % 26))
}

interface Line {
  readonly line: number
  readonly values: readonly string[]
}

function recordsOf(text: string, delimiter: string, file: string): Line[] {
  const found: Line[] = []
  let values: string[] = []
  let line = 1
  let start = 1
  let at = 0
  const end = (): void => {
    // A line without anything in it is none.
    if (values.length > 1 || values[0] !== '') found.push({ line: start, values })
    values = []
    start = line
  }
  while (at < text.length) {
    if (text[at] === '"') {
      const close = closing(text, at)
      if (close < 0)
        throw new PlinthError('TRANSFORM_INVALID', 'The quote that opens here is never closed.', {
          at: { file, line } satisfies Place,
        })
      const inside = text.slice(at + 1, close)
      line += inside.split('\n').length - 1
      at = close + 1
      const rest = restOf(text, at, delimiter)
      values.push(inside.replaceAll('""', '"') + rest)
      at += rest.length
    } else {
      const rest = restOf(text, at, delimiter)
      values.push(rest)
      at += rest.length
    }
    if (text.startsWith(delimiter, at)) {
      at += delimiter.length
      if (at < text.length && !/[\r\n]/.test(text[at] ?? '')) continue
      values.push('')
    }
    if (text[at] === '\r') at++
    if (text[at] === '\n') at++
    line++
    end()
  }
  return found
}

/** Where the quote that opens at `at` closes; two of them are one of the text. */
function closing(text: string, at: number): number {
  for (let next = text.indexOf('"', at + 1); next >= 0; next = text.indexOf('"', next + 2))
    if (text[next + 1] !== '"') return next
  return -1
}

function restOf(text: string, at: number, delimiter: string): string {
  let until = at
  while (until < text.length && !text.startsWith(delimiter, until) && text[until] !== '\n' && text[until] !== '\r')
    until++
  return text.slice(at, until)
}

/** Values between JavaScript and BigQuery, without loss, by the convention of `engine.ts`. */
import type { Value } from '../engine.ts'

/** A field of a result's schema, as the API describes it. */
export interface Field {
  readonly name: string
  readonly type: string
  readonly mode?: string
  readonly fields?: readonly Field[]
}

/** A cell of a result: `{ v: … }`, where records and lists nest. */
export interface Cell {
  readonly v: unknown
}

/**
 * A parameter as a literal. BigQuery infers no type for a null parameter and does not turn one type into another, and the statements of a
 * script share the names of their parameters; a literal has neither trouble.
 */
export function literal(value: Value): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return quoteString(value)
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return numberLiteral(value)
  if (value instanceof Uint8Array) return `from_hex('${Buffer.from(value).toString('hex')}')`
  return `[${value.map(literal).join(', ')}]`
}

/** Quotes, backslashes and control characters are escaped, so that no text can end its own literal. */
export function quoteString(text: string): string {
  const escaped = text.replace(/['\\\p{Cc}]/gu, character => {
    if (character === "'" || character === '\\') return `\\${character}`
    return plainEscapes[character] ?? `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`
  })
  return `'${escaped}'`
}

const plainEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

export function quoteName(name: string): string {
  return `\`${name.replace(/[`\\]/g, found => `\\${found}`)}\``
}

/** Reads a cell by its field, as rows of every engine hold it. */
export function readCell(field: Field, { v }: Cell): unknown {
  if (field.mode === 'REPEATED') {
    const item = { ...field, mode: 'NULLABLE' }
    return Array.isArray(v) ? v.map(cell => readCell(item, cell as Cell)) : []
  }
  if (v === null || v === undefined) return null
  const text = typeof v === 'string' ? v : JSON.stringify(v)
  switch (field.type) {
    case 'BOOLEAN':
    case 'BOOL':
      return text.toLowerCase() === 'true'
    case 'FLOAT':
    case 'FLOAT64':
      return readFloat(text)
    case 'BYTES':
      return new Uint8Array(Buffer.from(text, 'base64'))
    case 'TIMESTAMP':
      return isoTimestamp(microsOf(text))
    case 'DATETIME':
      return isoDateTime(text)
    case 'JSON':
      return JSON.parse(text) as unknown
    case 'NUMERIC':
    case 'BIGNUMERIC':
      return text.includes('.') ? text.replace(/\.?0+$/, '') : text
    case 'RECORD':
    case 'STRUCT':
      return readRecord(field.fields ?? [], v)
    default:
      return text
  }
}

export function readRecord(
  fields: readonly Field[],
  { f = [] }: { readonly f?: readonly Cell[] },
): Record<string, unknown> {
  return Object.fromEntries(fields.map((field, index) => [field.name, readCell(field, f[index] ?? { v: null })]))
}

function numberLiteral(value: number): string {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value)
  return Number.isFinite(value) ? `cast(${value} as float64)` : `cast('${value}' as float64)`
}

function readFloat(text: string): number {
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  return Number(text)
}

/** Microseconds since 1970: a whole number, or seconds as a decimal that may have an exponent. */
function microsOf(text: string): bigint {
  if (/^-?\d{11,}$/.test(text) || text === '0') return BigInt(text)
  const parts = /^(-?)(\d+)(?:\.(\d*))?(?:e\+?(\d+))?$/i.exec(text)
  if (!parts) return BigInt(Math.round(Number(text) * 1e6))
  const [, sign = '', whole = '0', fraction = '', exponent = '0'] = parts
  const shift = Number(exponent) + 6
  const digits = fraction.padEnd(shift, '0').slice(0, shift)
  return BigInt(`${sign}${whole}${digits}`)
}

function isoTimestamp(micros: bigint): string {
  const second = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const date = new Date(Number((micros - second) / 1000n))
  return `${date.toISOString().slice(0, -4)}${second.toString().padStart(6, '0')}Z`
}

function isoDateTime(text: string): string {
  const [moment = '', fraction = ''] = text.replace(' ', 'T').split('.')
  return `${moment}.${fraction.padEnd(6, '0').slice(0, 6)}Z`
}

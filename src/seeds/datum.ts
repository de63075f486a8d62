/** A value of a seed row, before the database sees it: what YAML can say, and values that wait to be protected. */
import { createHash } from 'node:crypto'

export type Datum =
  | string
  | number
  | boolean
  | null
  | Sealed
  | SeedRow
  | readonly unknown[]
  | { readonly [key: string]: unknown }

/** A value that is protected on its way into the database. It never prints itself, so that no message can hold it by accident. */
export class Sealed {
  readonly protection: Protection
  readonly form: 'email' | 'exact'
  /** The plain value; for a secret, the prefix of the value to be made. */
  readonly #plain: string

  constructor(protection: Protection, plain: string, form: 'email' | 'exact' = 'exact') {
    this.protection = protection
    this.form = form
    this.#plain = plain
  }

  reveal(): string {
    return this.#plain
  }

  toString(): string {
    return `(${this.protection})`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** How a column of a package comes into the database: as it is, encrypted, as a keyed hash, or as the keyed hash of a secret made on insert. */
export type Protection = 'encrypted' | 'hashed' | 'secret'

/** One row of a package, with its variables. */
export class SeedRow {
  readonly label: string
  readonly values: ReadonlyMap<string, Datum>

  constructor(label: string, values: ReadonlyMap<string, Datum>) {
    this.label = label
    this.values = values
  }
}

/**
 * A UUID that depends on nothing but its inputs: version 8 (RFC 9562, section 5.8) with 122 bits of SHA-256 over the parts. Rows that are
 * referred to from elsewhere have the same id on every machine.
 */
export function uuidFrom(parts: readonly string[]): string {
  const hash = createHash('sha256').update('plinth id 1')
  for (const part of parts) hash.update(`\0${Buffer.byteLength(part)}\0`).update(part)
  const words = hash.digest()
  return uuidOf([words.readUInt32BE(0), words.readUInt32BE(4), words.readUInt32BE(8), words.readUInt32BE(12)])
}

/** Four random words as a UUID of version 8. */
export function uuidOf(words: ArrayLike<number>): string {
  const [a, b, c, d] = [hex(words[0]), hex(words[1]), hex(words[2]), hex(words[3])]
  const variant = ((Number.parseInt(c.slice(0, 1), 16) & 0x3) | 0x8).toString(16)
  return `${a}-${b.slice(0, 4)}-8${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`
}

/** The text by which two data are told apart: in natural keys, ids and matches. */
export function keyText(datum: Datum): string {
  if (datum === null) return 'null'
  if (datum instanceof Sealed)
    return `=${datum.form === 'email' ? datum.reveal().trim().toLowerCase() : datum.reveal()}`
  if (datum instanceof SeedRow) return `=${datum.label}`
  return typeof datum === 'object' ? `=${JSON.stringify(datum)}` : `=${String(datum)}`
}

/** A datum within a text: rows are told by their label, lists and maps as JSON. */
export function scalarText(datum: Datum): string {
  if (datum instanceof SeedRow) return datum.label
  if (datum instanceof Sealed) return datum.toString()
  return datum !== null && typeof datum === 'object' ? JSON.stringify(datum) : String(datum)
}

/** How PostgreSQL reads a datum of that type; null is SQL's null, undefined means that the type cannot take it. */
export function inputText(datum: Datum, type: string): string | null | undefined {
  if (datum === null) return null
  if (datum instanceof Sealed || datum instanceof SeedRow) return undefined
  if (type === 'json' || type === 'jsonb') return JSON.stringify(datum)
  if (typeof datum !== 'object') return String(datum)
  return Array.isArray(datum) && type.endsWith('[]') ? arrayText(datum) : undefined
}

/** An array literal; elements are always quoted, which every element type reads. */
export function arrayText(elements: readonly unknown[]): string {
  const quoted = elements.map(element =>
    element === null ? 'null' : `"${scalarText(element as Datum).replaceAll(/["\\]/g, '\\$&')}"`,
  )
  return `{${quoted.join(',')}}`
}

function hex(word = 0): string {
  return word.toString(16).padStart(8, '0')
}

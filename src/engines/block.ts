/**
 * Rows column by column, a few thousand at a time, as they travel between engines: numbers in typed arrays, so that millions of rows a
 * second can be read, hashed and written without an object a row.
 */

/** What a column's values are on both sides. */
export type BlockType =
  | { readonly kind: 'uuid' | 'text' | 'boolean' | 'date' | 'timestamp' | 'int16' | 'int32' | 'int64' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }

export interface BlockColumn {
  /**
   * Each value as 32-bit words, the lowest first: an integer's two's complement, a decimal's without its point, a uuid as a number of
   * 128 bits, a timestamp as microseconds and a date as days since 1970, a text as its number in `texts`. Zero where the value is null.
   */
  readonly words: Uint32Array
  /** Words of a value: 1, 2 or 4. */
  readonly width: number
  /** 1 where the value is null. */
  readonly nulls: Uint8Array
  /** Texts that occur, for a column of texts. */
  texts: Texts | null
}

/** Rows of a stream. The arrays are filled anew for the next block, so a block is used up before the next one is asked for. */
export interface Block {
  rows: number
  readonly columns: readonly BlockColumn[]
}

/** Rows of a full block: what DuckDB takes and gives at once. */
export const blockRows = 2048

export function wordsOf(type: BlockType): number {
  if (type.kind === 'uuid') return 4
  if (type.kind === 'decimal') return type.precision > 18 ? 4 : 2
  return type.kind === 'timestamp' || type.kind === 'int64' ? 2 : 1
}

export function createBlock(types: readonly BlockType[]): Block {
  return {
    rows: 0,
    columns: types.map(type => ({
      words: new Uint32Array(blockRows * wordsOf(type)),
      width: wordsOf(type),
      nulls: new Uint8Array(blockRows),
      texts: type.kind === 'text' ? createTexts() : null,
    })),
  }
}

/** Texts of a column by number. Columns of texts repeat themselves, so each is kept, hashed and handed over once. */
export interface Texts {
  readonly bytes: Uint8Array[]
  /** Two hashes of each text. */
  readonly first: number[]
  readonly second: number[]
  /** Numbers by hash. */
  readonly known: Map<number, number>
  /** Numbers of the texts that came last, by a glance at a few of their bytes. */
  readonly recent: Int32Array
  size: number
}

export function createTexts(): Texts {
  return { bytes: [], first: [], second: [], known: new Map(), recent: new Int32Array(256).fill(-1), size: 0 }
}

/** A column whose texts never repeat must not fill the memory: beyond this it starts over with the next block. */
export function isFull(texts: Texts): boolean {
  return texts.bytes.length >= 32_768 || texts.size >= 4 << 20
}

/** The number of the text that stands in `bytes` from `from` until before `until`. */
export function textNumber(texts: Texts, bytes: Uint8Array, from: number, until: number): number {
  const glance = glanceAt(bytes, from, until)
  const last = texts.recent[glance] as number
  if (last >= 0 && sameBytes(texts.bytes[last] as Uint8Array, bytes, from, until)) return last
  const number = lookUp(texts, bytes, from, until)
  texts.recent[glance] = number
  return number
}

function glanceAt(bytes: Uint8Array, from: number, until: number): number {
  if (from === until) return 0
  const middle = bytes[(from + until) >> 1] as number
  return ((until - from) * 29 + (bytes[from] as number) * 7 + middle * 3 + (bytes[until - 1] as number)) & 255
}

function lookUp(texts: Texts, bytes: Uint8Array, from: number, until: number): number {
  let first = 0x2545f491 ^ (until - from)
  let second = 0x1b873593 ^ (until - from)
  for (let at = from; at < until; at++) {
    const byte = bytes[at] as number
    first = Math.imul(first ^ byte, 0x5bd1e995)
    first ^= first >>> 15
    second = Math.imul(second ^ byte, 0x2c1b3c6d)
    second ^= second >>> 13
  }
  const key = (first >>> 0) + (second & 0x1fffff) * 4_294_967_296
  const known = texts.known.get(key)
  if (known !== undefined && sameBytes(texts.bytes[known] as Uint8Array, bytes, from, until)) return known
  const number = texts.bytes.length
  texts.bytes.push(bytes.slice(from, until))
  texts.first.push(first)
  texts.second.push(second)
  texts.size += until - from
  if (known === undefined) texts.known.set(key, number)
  return number
}

function sameBytes(text: Uint8Array, bytes: Uint8Array, from: number, until: number): boolean {
  if (text.length !== until - from) return false
  for (let at = 0; at < text.length; at++) if (text[at] !== bytes[from + at]) return false
  return true
}

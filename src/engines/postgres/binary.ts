/**
 * Reads PostgreSQL's binary COPY (documentation, "COPY", "Binary Format"): rows of length-prefixed fields in network order, which cost
 * the server a third of what text costs it, and no parsing of text here.
 */
import { PlinthError } from '../../errors.ts'
import {
  type Block,
  type BlockColumn,
  blockRows,
  type BlockType,
  createBlock,
  createTexts,
  isFull,
  textNumber,
} from '../block.ts'

/** The SQL type that a column is sent as, so that its bytes are what `readBinary` expects, whatever the table's own type is. */
export function wireType(type: BlockType): string {
  if (type.kind === 'decimal') return `numeric(${type.precision}, ${type.scale})`
  return wireTypes[type.kind]
}

const wireTypes = {
  uuid: 'uuid',
  text: 'text',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamptz',
  int16: 'smallint',
  int32: 'integer',
  int64: 'bigint',
} as const

/**
 * Blocks of rows out of a `copy … to stdout (format binary)` whose columns were sent as `wireType` says. The block is filled anew each
 * time. Throws SQL_FAILED for values that no other engine has, such as `NaN`.
 */
export async function* readBinary(
  source: AsyncIterable<Uint8Array>,
  types: readonly BlockType[],
): AsyncGenerator<Block, void> {
  const block = createBlock(types)
  let rest: Uint8Array = new Uint8Array(0)
  let started = false
  let ended = false
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    if (!started) {
      const header = headerLength(bytes)
      if (header === null) {
        rest = bytes
        continue
      }
      at = header
      started = true
    }
    while (!ended) {
      const next = rowEnd(bytes, at, types.length)
      if (next === null) break
      if (next < 0) {
        ended = true
        break
      }
      readRow(bytes, at + 2, block, types)
      at = next
      if (block.rows === blockRows) {
        yield block
        startOver(block)
      }
    }
    rest = bytes.subarray(at)
  }
  if (!ended) throw malformed('it ended in the middle')
  if (block.rows > 0) yield block
}

function startOver(block: Block): void {
  block.rows = 0
  for (const column of block.columns) if (column.texts && isFull(column.texts)) column.texts = createTexts()
}

/** Signature of 11 bytes, flags of 4, length of the extension and the extension; null while they are not all there. */
function headerLength(bytes: Uint8Array): number | null {
  if (bytes.length < 19) return null
  const length = 19 + readInt32(bytes, 15)
  return bytes.length < length ? null : length
}

/** Where the row that starts at `at` ends; null while it is not all there, -1 for the trailer. */
function rowEnd(bytes: Uint8Array, at: number, columns: number): number | null {
  if (bytes.length < at + 2) return null
  const count = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  if (count === 0xffff) return -1
  if (count !== columns) throw malformed(`a row has ${count} columns rather than ${columns}`)
  let end = at + 2
  for (let index = 0; index < columns; index++) {
    if (bytes.length < end + 4) return null
    const length = readInt32(bytes, end)
    end += length < 0 ? 4 : 4 + length
  }
  return bytes.length < end ? null : end
}

function readRow(bytes: Uint8Array, start: number, block: Block, types: readonly BlockType[]): void {
  const row = block.rows++
  let at = start
  for (let index = 0; index < types.length; index++) {
    const column = block.columns[index] as BlockColumn
    const length = readInt32(bytes, at)
    at += 4
    if (length < 0) {
      column.nulls[row] = 1
      column.words.fill(0, row * column.width, (row + 1) * column.width)
      continue
    }
    column.nulls[row] = 0
    readField(bytes, at, length, column, row, types[index] as BlockType)
    at += length
  }
}

function readField(
  bytes: Uint8Array,
  at: number,
  length: number,
  column: BlockColumn,
  row: number,
  type: BlockType,
): void {
  const { words } = column
  switch (type.kind) {
    case 'uuid':
      words[row * 4 + 3] = readInt32(bytes, at)
      words[row * 4 + 2] = readInt32(bytes, at + 4)
      words[row * 4 + 1] = readInt32(bytes, at + 8)
      words[row * 4] = readInt32(bytes, at + 12)
      return
    case 'int16':
      words[row] = (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16)) >> 16
      return
    case 'int32':
      words[row] = readInt32(bytes, at)
      return
    case 'int64':
      words[row * 2 + 1] = readInt32(bytes, at)
      words[row * 2] = readInt32(bytes, at + 4)
      return
    case 'text':
      words[row] = textNumber(column.texts ?? (column.texts = createTexts()), bytes, at, at + length)
      return
    case 'boolean':
      words[row] = bytes[at] as number
      return
    case 'date':
      words[row] = dateWord(readInt32(bytes, at))
      return
    case 'timestamp':
      writeTimestamp(words, row, readInt32(bytes, at), readInt32(bytes, at + 4) >>> 0)
      return
    case 'decimal':
      writeDecimal(words, row, column.width, bytes, at, type.scale)
      return
  }
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** PostgreSQL counts days from 2000; its infinities are the ends of the range, as DuckDB's are. */
function dateWord(days: number): number {
  if (days === 0x7fffffff) return days
  return days === -0x80000000 ? -0x7fffffff : days + 10_957
}

const microsBetween1970And2000 = 946_684_800_000_000

function writeTimestamp(words: Uint32Array, row: number, high: number, low: number): void {
  // Within 250 years of 2000 a double holds the microseconds exactly.
  if (high > -0x200000 && high < 0x1c0000) {
    const micros = high * 4_294_967_296 + low + microsBetween1970And2000
    const highOut = Math.floor(micros / 4_294_967_296)
    words[row * 2] = micros - highOut * 4_294_967_296
    words[row * 2 + 1] = highOut
    return
  }
  const raw = (BigInt(high) << 32n) | BigInt(low)
  const least = -0x8000000000000000n
  const most = 0x7fffffffffffffffn
  writeBigInt(words, row * 2, 2, raw === most ? most : raw === least ? -most : raw + BigInt(microsBetween1970And2000))
}

/** Digits to the base 10000, of which the first counts 10000^weight; the value is written without its point. */
function writeDecimal(
  words: Uint32Array,
  row: number,
  width: number,
  bytes: Uint8Array,
  at: number,
  scale: number,
): void {
  const digits = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  const weight = (((bytes[at + 2] as number) << 24) | ((bytes[at + 3] as number) << 16)) >> 16
  const sign = ((bytes[at + 4] as number) << 8) | (bytes[at + 5] as number)
  if (sign !== 0 && sign !== 0x4000) {
    throw new PlinthError(
      'SQL_FAILED',
      'A numeric column holds NaN or an infinity, which a decimal column cannot hold.',
      {
        hint: 'Correct the value in the source, and forbid it with a check.',
      },
    )
  }
  const first = at + 8
  // Places behind the point that the digits hold; the scale asks for more or, where the last digit ends in zeros, for fewer.
  const shift = scale - (digits - weight - 1) * 4
  if (Math.max(digits * 4, digits * 4 + shift) <= 15) {
    let value = 0
    for (let index = 0; index < digits; index++) value = value * 10_000 + digitAt(bytes, first + index * 2)
    value = shift >= 0 ? value * (powersOfTen[shift] as number) : value / (powersOfTen[-shift] as number)
    const signed = sign === 0 ? value : -value
    const high = Math.floor(signed / 4_294_967_296)
    const offset = row * width
    words[offset] = signed - high * 4_294_967_296
    words[offset + 1] = high
    if (width === 4) words[offset + 2] = words[offset + 3] = signed < 0 ? 0xffffffff : 0
    return
  }
  let value = 0n
  for (let index = 0; index < digits; index++) value = value * 10_000n + BigInt(digitAt(bytes, first + index * 2))
  value = shift >= 0 ? value * 10n ** BigInt(shift) : value / 10n ** BigInt(-shift)
  writeBigInt(words, row * width, width, sign === 0 ? value : -value)
}

const powersOfTen = Array.from({ length: 16 }, (_, power) => 10 ** power)

function digitAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

function writeBigInt(words: Uint32Array, offset: number, width: number, value: bigint): void {
  for (let word = 0; word < width; word++) words[offset + word] = Number((value >> BigInt(32 * word)) & 0xffffffffn)
}

function malformed(what: string): PlinthError {
  return new PlinthError('CONNECTION_LOST', `The rows that PostgreSQL sent cannot be read: ${what}.`, {
    hint: 'Run again; the connection was probably cut.',
  })
}

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
  const kinds = types.map(({ kind }) => kindNumbers[kind])
  let rest: Uint8Array = new Uint8Array(0)
  let started = false
  let ended = false
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    if (!started) {
      const header = headerLength(view)
      if (header === null) {
        rest = bytes
        continue
      }
      at = header
      started = true
    }
    while (!ended) {
      const next = readRow(view, bytes, at, block, types, kinds)
      if (next === incomplete) break
      if (next === trailer) {
        ended = true
        break
      }
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

/** A switch over numbers is one jump, over texts a comparison for each. */
const kindNumbers = {
  uuid: 0,
  text: 1,
  timestamp: 2,
  int32: 3,
  decimal: 4,
  int64: 5,
  int16: 6,
  boolean: 7,
  date: 8,
} as const

type KindNumber = (typeof kindNumbers)[BlockType['kind']]

/** In place of where the next row begins: the row is not all there, or there is none any more. */
const incomplete = -1
const trailer = -2

function startOver(block: Block): void {
  block.rows = 0
  for (const column of block.columns) if (column.texts && isFull(column.texts)) column.texts = createTexts()
}

/** Signature of 11 bytes, flags of 4, length of the extension and the extension; null while they are not all there. */
function headerLength(view: DataView): number | null {
  if (view.byteLength < 19) return null
  const length = 19 + view.getInt32(15)
  return view.byteLength < length ? null : length
}

/** Adds the row that starts at `start`, and answers where it ends. A row that is not all there is read again when it is. */
function readRow(
  view: DataView,
  bytes: Uint8Array,
  start: number,
  block: Block,
  types: readonly BlockType[],
  kinds: readonly KindNumber[],
): number {
  const end = view.byteLength
  if (end < start + 2) return incomplete
  const count = view.getInt16(start)
  if (count === -1) return trailer
  if (count !== kinds.length) throw malformed(`a row has ${count & 0xffff} columns rather than ${kinds.length}`)
  const row = block.rows
  let at = start + 2
  for (let index = 0; index < kinds.length; index++) {
    const column = block.columns[index] as BlockColumn
    if (end < at + 4) return incomplete
    const length = view.getInt32(at)
    at += 4
    if (length < 0) {
      column.nulls[row] = 1
      column.words.fill(0, row * column.width, (row + 1) * column.width)
      continue
    }
    if (end < at + length) return incomplete
    column.nulls[row] = 0
    const { words } = column
    switch (kinds[index] as KindNumber) {
      case kindNumbers.uuid:
        words[row * 4 + 3] = view.getInt32(at)
        words[row * 4 + 2] = view.getInt32(at + 4)
        words[row * 4 + 1] = view.getInt32(at + 8)
        words[row * 4] = view.getInt32(at + 12)
        break
      case kindNumbers.text:
        words[row] = textNumber(column.texts ?? (column.texts = createTexts()), bytes, at, at + length)
        break
      case kindNumbers.timestamp:
        writeTimestamp(words, row, view.getInt32(at), view.getUint32(at + 4))
        break
      case kindNumbers.int32:
        words[row] = view.getInt32(at)
        break
      case kindNumbers.decimal:
        writeDecimal(words, row, column.width, view, at, types[index] as DecimalType)
        break
      case kindNumbers.int64:
        words[row * 2 + 1] = view.getInt32(at)
        words[row * 2] = view.getInt32(at + 4)
        break
      case kindNumbers.int16:
        words[row] = view.getInt16(at)
        break
      case kindNumbers.boolean:
        words[row] = view.getUint8(at)
        break
      case kindNumbers.date:
        words[row] = dateWord(view.getInt32(at))
    }
    at += length
  }
  block.rows = row + 1
  return at
}

type DecimalType = Extract<BlockType, { readonly kind: 'decimal' }>

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
  view: DataView,
  at: number,
  { scale }: DecimalType,
): void {
  const digits = view.getUint16(at)
  const weight = view.getInt16(at + 2)
  const sign = view.getUint16(at + 4)
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
    for (let index = 0; index < digits; index++) value = value * 10_000 + view.getUint16(first + index * 2)
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
  for (let index = 0; index < digits; index++) value = value * 10_000n + BigInt(view.getUint16(first + index * 2))
  value = shift >= 0 ? value * 10n ** BigInt(shift) : value / 10n ** BigInt(-shift)
  writeBigInt(words, row * width, width, sign === 0 ? value : -value)
}

const powersOfTen = Array.from({ length: 16 }, (_, power) => 10 ** power)

function writeBigInt(words: Uint32Array, offset: number, width: number, value: bigint): void {
  for (let word = 0; word < width; word++) words[offset + word] = Number((value >> BigInt(32 * word)) & 0xffffffffn)
}

function malformed(what: string): PlinthError {
  return new PlinthError('CONNECTION_LOST', `The rows that PostgreSQL sent cannot be read: ${what}.`, {
    hint: 'Run again; the connection was probably cut.',
  })
}

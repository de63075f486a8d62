/** Rows into a DuckDB table and out of a query as blocks, by DuckDB's own vectors (its C API: "Data Chunks", "Vectors", "Appender"). */
import { createRequire } from 'node:module'
import type { DuckDBConnection, DuckDBDataChunk, DuckDBType } from '@duckdb/node-api'
import {
  type Block,
  type BlockColumn,
  type BlockType,
  createBlock,
  createTexts,
  isFull,
  type Texts,
  textNumber,
} from '../block.ts'
import type { DuckDbModule } from './rows.ts'

export interface Append {
  readonly connection: DuckDBConnection
  readonly catalog?: string
  readonly schema: string
  readonly name: string
  readonly types: readonly BlockType[]
  readonly blocks: AsyncIterable<Block>
}

/** Of the native module below `@duckdb/node-api`, which itself hands out values one by one. Vectors are known to it alone. */
interface Bindings {
  data_chunk_get_vector(chunk: DataChunk, column: number): Vector
  vector_get_data(vector: Vector, byteCount: number): Uint8Array
  vector_get_validity(vector: Vector, byteCount: number): Uint8Array | null
  vector_ensure_validity_writable(vector: Vector): void
  vector_assign_string_element_len(vector: Vector, row: number, bytes: Uint8Array): void
  copy_data_to_vector(vector: Vector, at: number, bytes: ArrayBufferLike, from: number, byteCount: number): void
  copy_data_to_vector_validity(
    vector: Vector,
    at: number,
    bytes: ArrayBufferLike,
    from: number,
    byteCount: number,
  ): void
  get_data_from_pointer(bytes: ArrayBufferLike, pointerAt: number, byteCount: number): Uint8Array
}

type DataChunk = DuckDBDataChunk['chunk']
type Vector = object

/** Appends within the transaction that is open, to a table whose columns have these types in this order; answers the number of rows. */
export async function appendBlocks(duckdb: DuckDbModule, append: Append): Promise<number> {
  const bindings = loadBindings()
  const appender = await append.connection.createAppender(append.name, append.schema, append.catalog ?? null)
  const chunk = duckdb.DuckDBDataChunk.create(append.types.map(type => duckType(duckdb, type)))
  let rows = 0
  try {
    for await (const block of append.blocks) {
      chunk.reset()
      chunk.rowCount = block.rows
      for (const [index, column] of block.columns.entries())
        writeColumn(
          bindings,
          bindings.data_chunk_get_vector(chunk.chunk, index),
          column,
          block.rows,
          append.types[index],
        )
      appender.appendDataChunk(chunk)
      rows += block.rows
    }
    appender.flushSync()
  } catch (error) {
    // What was not flushed must not be written when the appender is closed.
    appender.clear()
    throw error
  } finally {
    appender.closeSync()
  }
  return rows
}

/** Texts that a column is expected to hold, by DuckDB's hashes of them. */
export interface Foreseen {
  readonly texts: Texts
  readonly numbers: Map<bigint, number>
}

/**
 * The rows of a query whose columns were selected as `readType` says, or as a hash where texts are foreseen. The block is filled anew each
 * time.
 */
export async function* readBlocks(
  connection: DuckDBConnection,
  query: string,
  types: readonly BlockType[],
  foreseen: readonly (Foreseen | null)[] = [],
): AsyncGenerator<Block, void> {
  const bindings = loadBindings()
  const result = await connection.stream(query)
  const block = createBlock(types)
  for (const [index, column] of block.columns.entries()) column.texts = foreseen[index]?.texts ?? column.texts
  for (;;) {
    const chunk = await result.fetchChunk()
    if (!chunk || chunk.rowCount === 0) return
    readChunk(bindings, chunk.chunk, chunk.rowCount, block, types, foreseen)
    yield block
    for (const [index, column] of block.columns.entries())
      if (column.texts && !foreseen[index] && isFull(column.texts)) column.texts = createTexts()
  }
}

/** The SQL type of a column that such a block can be appended to as it is. */
export function storedType(type: BlockType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision > 9 ? type.precision : 18}, ${type.scale})`
  return type.kind === 'boolean' ? 'boolean' : type.kind === 'int16' ? 'smallint' : readTypes[type.kind]
}

/** The SQL type that a column is selected as, so that its vector is what `readBlocks` expects, whatever the table's own type is. */
export function readType(type: BlockType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision > 18 ? 38 : 18}, ${type.scale})`
  return readTypes[type.kind]
}

const readTypes = {
  uuid: 'uuid',
  text: 'varchar',
  boolean: 'integer',
  date: 'date',
  timestamp: 'timestamptz',
  int16: 'integer',
  int32: 'integer',
  int64: 'bigint',
} as const

function duckType(duckdb: DuckDbModule, type: BlockType): DuckDBType {
  if (type.kind === 'decimal') return duckdb.DECIMAL(type.precision > 9 ? type.precision : 18, type.scale)
  return {
    uuid: duckdb.UUID,
    text: duckdb.VARCHAR,
    boolean: duckdb.BOOLEAN,
    int16: duckdb.SMALLINT,
    int32: duckdb.INTEGER,
    int64: duckdb.BIGINT,
    date: duckdb.DATE,
    timestamp: duckdb.TIMESTAMPTZ,
  }[type.kind]
}

/** The copy that `@duckdb/node-api` itself uses: a handle of one copy means nothing to another. */
function loadBindings(): Bindings {
  const api = createRequire(import.meta.url).resolve('@duckdb/node-api')
  return createRequire(api)('@duckdb/node-bindings') as Bindings
}

function writeColumn(
  bindings: Bindings,
  vector: Vector,
  column: BlockColumn,
  rows: number,
  type: BlockType | undefined,
): void {
  writeNulls(bindings, vector, column.nulls, rows)
  if (column.texts) return writeTexts(bindings, vector, column, column.texts, rows)
  const { words, width } = column
  if (type?.kind === 'boolean' || type?.kind === 'int16') {
    const narrow = type.kind === 'boolean' ? new Uint8Array(rows) : new Uint16Array(rows)
    for (let row = 0; row < rows; row++) narrow[row] = words[row] as number
    bindings.copy_data_to_vector(vector, 0, narrow.buffer, 0, narrow.byteLength)
    return
  }
  // DuckDB keeps a uuid as a signed number with the highest bit turned, so that uuids sort as their text does.
  if (type?.kind === 'uuid') turnHighestBits(words, rows)
  bindings.copy_data_to_vector(vector, 0, words.buffer, words.byteOffset, rows * width * 4)
  if (type?.kind === 'uuid') turnHighestBits(words, rows)
}

function turnHighestBits(words: Uint32Array, rows: number): void {
  for (let at = 3; at < rows * 4; at += 4) words[at] = (words[at] as number) ^ 0x80000000
}

const validity = new Uint32Array(64)

function writeNulls(bindings: Bindings, vector: Vector, nulls: Uint8Array, rows: number): void {
  if (!nulls.subarray(0, rows).includes(1)) return
  validity.fill(0xffffffff)
  for (let row = 0; row < rows; row++)
    if (nulls[row] === 1) validity[row >> 5] = (validity[row >> 5] as number) & ~(1 << (row & 31))
  bindings.vector_ensure_validity_writable(vector)
  bindings.copy_data_to_vector_validity(vector, 0, validity.buffer, 0, Math.ceil(rows / 64) * 8)
}

/** A `duckdb_string_t`: length and up to twelve bytes, or length, four bytes and where the rest is. */
const stringWords = 4
const inlineBytes = 12
const strings = new Uint32Array(2048 * stringWords)

function writeTexts(bindings: Bindings, vector: Vector, column: BlockColumn, texts: Texts, rows: number): void {
  const spelled = spell(texts)
  const long = new Map<number, number>()
  const places: number[] = []
  for (let row = 0; row < rows; row++) {
    const at = row * stringWords
    if (column.nulls[row] === 1) {
      strings.fill(0, at, at + stringWords)
      continue
    }
    const number = column.words[row] as number
    const from = number * stringWords
    if ((spelled[from] as number) > inlineBytes) {
      // The vector makes room for each long text once; its other rows point to the same place.
      if (!long.has(number)) {
        bindings.vector_assign_string_element_len(vector, row, texts.bytes[number] as Uint8Array)
        long.set(number, at)
      }
      places.push(row)
      continue
    }
    strings[at] = spelled[from] as number
    strings[at + 1] = spelled[from + 1] as number
    strings[at + 2] = spelled[from + 2] as number
    strings[at + 3] = spelled[from + 3] as number
  }
  if (places.length > 0) {
    const bytes = bindings.vector_get_data(vector, rows * 16)
    const written = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * stringWords)
    for (const row of places) {
      const from = long.get(column.words[row] as number) as number
      strings.set(written.subarray(from, from + stringWords), row * stringWords)
    }
  }
  bindings.copy_data_to_vector(vector, 0, strings.buffer, 0, rows * 16)
}

/** The four words of each text by its number; of a long one only the length. */
function spell(texts: Texts): Uint32Array {
  const count = texts.bytes.length
  let known = spellings.get(texts)
  if (!known || known.words.length < count * stringWords) {
    const words = new Uint32Array(Math.max(64, count * 2) * stringWords)
    if (known) words.set(known.words)
    known = { words, count: known?.count ?? 0 }
    spellings.set(texts, known)
  }
  const bytes = new Uint8Array(known.words.buffer)
  for (; known.count < count; known.count++) {
    const text = texts.bytes[known.count] as Uint8Array
    known.words[known.count * stringWords] = text.length
    if (text.length <= inlineBytes) bytes.set(text, known.count * 16 + 4)
  }
  return known.words
}

const spellings = new WeakMap<Texts, { words: Uint32Array; count: number }>()

function readChunk(
  bindings: Bindings,
  chunk: DataChunk,
  rows: number,
  block: Block,
  types: readonly BlockType[],
  foreseen: readonly (Foreseen | null)[],
): void {
  block.rows = rows
  for (const [index, column] of block.columns.entries()) {
    const vector = bindings.data_chunk_get_vector(chunk, index)
    readNulls(bindings, vector, column.nulls, rows)
    const known = foreseen[index]
    if (known) {
      const hashes = bindings.vector_get_data(vector, rows * 8)
      recognize(new Uint32Array(hashes.buffer, hashes.byteOffset, rows * 2), column, known, rows)
      continue
    }
    const width = column.texts ? stringWords : column.width
    const bytes = bindings.vector_get_data(vector, rows * width * 4)
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * width)
    if (column.texts) readTexts(bindings, words, bytes, column, column.texts, rows)
    else column.words.set(words)
    if (types[index]?.kind === 'uuid') turnHighestBits(column.words, rows)
  }
}

function readNulls(bindings: Bindings, vector: Vector, nulls: Uint8Array, rows: number): void {
  nulls.fill(0, 0, rows)
  const mask = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8)
  if (!mask || mask.length === 0) return
  for (let row = 0; row < rows; row++) if (((mask[row >> 3] as number) & (1 << (row & 7))) === 0) nulls[row] = 1
}

/**
 * A text is told by its four words: a short one by its bytes, a long one by its place in memory, which the equal texts of a chunk mostly
 * share. The last ones that were seen are remembered by them, since columns of texts repeat a few.
 */
function readTexts(
  bindings: Bindings,
  words: Uint32Array,
  bytes: Uint8Array,
  column: BlockColumn,
  texts: Texts,
  rows: number,
): void {
  seenNumbers.fill(-1)
  for (let row = 0; row < rows; row++) {
    if (column.nulls[row] === 1) {
      column.words[row] = 0
      continue
    }
    const at = row * stringWords
    const length = words[at] as number
    const mixed = length ^ (words[at + 1] as number) ^ Math.imul(words[at + 2] as number, 3) ^ (words[at + 3] as number)
    const slot = Math.imul(mixed, 0x9e3779b1) >>> 26
    if (seenNumbers[slot] === -1 || !isSeen(words, at, slot)) {
      seenNumbers[slot] =
        length <= inlineBytes
          ? textNumber(texts, bytes, at * 4 + 4, at * 4 + 4 + length)
          : textNumber(
              texts,
              bindings.get_data_from_pointer(bytes.buffer, bytes.byteOffset + at * 4 + 8, length),
              0,
              length,
            )
      seenWords.set(words.subarray(at, at + stringWords), slot * stringWords)
    }
    column.words[row] = seenNumbers[slot] as number
  }
}

const seenNumbers = new Int32Array(64)
const seenWords = new Uint32Array(64 * stringWords)

function isSeen(words: Uint32Array, at: number, slot: number): boolean {
  const seen = slot * stringWords
  return (
    words[at] === seenWords[seen] &&
    words[at + 1] === seenWords[seen + 1] &&
    words[at + 2] === seenWords[seen + 2] &&
    words[at + 3] === seenWords[seen + 3]
  )
}

/** A text that nobody foresaw gets a number of its own, whose hashes are those of no text that is known. */
function recognize(hashes: Uint32Array, column: BlockColumn, { texts, numbers }: Foreseen, rows: number): void {
  seenNumbers.fill(-1)
  for (let row = 0; row < rows; row++) {
    if (column.nulls[row] === 1) {
      column.words[row] = 0
      continue
    }
    const low = hashes[row * 2] as number
    const high = hashes[row * 2 + 1] as number
    const slot = low >>> 26
    if (seenNumbers[slot] === -1 || seenWords[slot * 2] !== low || seenWords[slot * 2 + 1] !== high) {
      seenNumbers[slot] = numbers.get((BigInt(high) << 32n) | BigInt(low)) ?? strange(texts, numbers, low, high)
      seenWords[slot * 2] = low
      seenWords[slot * 2 + 1] = high
    }
    column.words[row] = seenNumbers[slot] as number
  }
}

function strange(texts: Texts, numbers: Map<bigint, number>, low: number, high: number): number {
  texts.first.push(~low)
  texts.second.push(~high)
  const number = texts.bytes.push(new Uint8Array(0)) - 1
  numbers.set((BigInt(high) << 32n) | BigInt(low), number)
  return number
}

/**
 * What cells hold, while their rows go by: number of rows and an order-independent hash. The same function looks at rows that come out
 * of the source and at rows that stand in the warehouse, so one pass over each is all that a proof costs.
 */
import { type Block, type BlockColumn, blockRows, type Texts } from '../../engines/block.ts'
import type { CellDigest } from './capture.ts'

export interface Fold {
  /** Takes the rows of a block, whose last two columns are the bucket, a timestamp, and the shard. */
  add(block: Block): void
  /** Rows so far. */
  readonly rows: number
  cells(): CellDigest[]
  /** All texts of each column, in the order of the columns; null where there are none, or too many of them to be kept. */
  texts(): (Texts | null)[]
}

/**
 * A row's hash is two independent ones of 32 bits over all its values, bound together by their places, so a value that moved to another
 * row or column changes it. Their sums over a cell do not depend on order; two cells that differ have equal sums by chance once in about
 * 10^19 comparisons.
 */
export function createFold(): Fold {
  const buckets = new Map<number, Bucket>()
  const first = new Uint32Array(blockRows)
  const second = new Uint32Array(blockRows)
  let rows = 0
  let texts: (Texts | null)[] | undefined
  return {
    add(block) {
      // A column that started over with other texts has more of them than are kept.
      texts = block.columns.map((column, index) => (!texts || texts[index] === column.texts ? column.texts : null))
      hashRows(block, first, second)
      rows += block.rows
      gather(block, first, second, buckets)
    },
    get rows() {
      return rows
    },
    cells: () => [...buckets].flatMap(([micros, bucket]) => cellsOf(micros, bucket)),
    texts: () => texts ?? [],
  }
}

/** Cells of one bucket: each shard has three numbers, its rows and the two sums. */
interface Bucket {
  sums: Float64Array
}

function gather(block: Block, first: Uint32Array, second: Uint32Array, buckets: Map<number, Bucket>): void {
  const times = (block.columns.at(-2) as BlockColumn).words
  const shards = (block.columns.at(-1) as BlockColumn).words
  let low = -1
  let high = -1
  let bucket: Bucket = { sums: new Float64Array(0) }
  for (let row = 0; row < block.rows; row++) {
    if (times[row * 2] !== low || times[row * 2 + 1] !== high) {
      low = times[row * 2] as number
      high = times[row * 2 + 1] as number
      bucket = bucketAt((high | 0) * 4_294_967_296 + low, buckets)
    }
    const at = ((shards[row] as number) & 0xffff) * 3
    if (at >= bucket.sums.length) widen(bucket, at)
    const { sums } = bucket
    sums[at] = (sums[at] as number) + 1
    sums[at + 1] = wrapped((sums[at + 1] as number) + (first[row] as number))
    sums[at + 2] = wrapped((sums[at + 2] as number) + (second[row] as number))
  }
}

function bucketAt(micros: number, buckets: Map<number, Bucket>): Bucket {
  const found = buckets.get(micros)
  if (found) return found
  const made = { sums: new Float64Array(64 * 3) }
  buckets.set(micros, made)
  return made
}

function widen(bucket: Bucket, at: number): void {
  const wider = new Float64Array(Math.max(bucket.sums.length * 2, (at + 3) * 2))
  wider.set(bucket.sums)
  bucket.sums = wider
}

/** Sums stay below 2^52, where doubles count exactly. */
function wrapped(sum: number): number {
  return sum < 4_503_599_627_370_496 ? sum : sum - 4_503_599_627_370_496
}

function cellsOf(micros: number, { sums }: Bucket): CellDigest[] {
  const cells: CellDigest[] = []
  const hour = bucketText(micros)
  for (let at = 0; at + 2 < sums.length; at += 3) {
    if (sums[at] === 0) continue
    const hash = `${(sums[at + 1] as number).toString(16)}/${(sums[at + 2] as number).toString(16)}`
    // A shard beyond 15 bits stands for a negative one, which somebody must have written by hand.
    cells.push({ hour, shard: ((at / 3) << 16) >> 16, rows: String(sums[at]), hash, sums: [] })
  }
  return cells
}

/** As engines write timestamps: ISO 8601 in UTC with microseconds, or an infinity. */
function bucketText(micros: number): string {
  if (Math.abs(micros) > 9e18) return micros > 0 ? 'infinity' : '-infinity'
  const second = ((micros % 1_000_000) + 1_000_000) % 1_000_000
  const date = new Date((micros - second) / 1000)
  return Number.isNaN(date.getTime())
    ? `${micros}us`
    : `${date.toISOString().slice(0, -4)}${String(second).padStart(6, '0')}Z`
}

function hashRows(block: Block, first: Uint32Array, second: Uint32Array): void {
  first.fill(0x9747b28c, 0, block.rows)
  second.fill(0x3c6ef372, 0, block.rows)
  for (const column of block.columns) {
    if (column.texts) hashTexts(column, block.rows, first, second)
    else hashWords(column, block.rows, first, second)
  }
  for (let row = 0; row < block.rows; row++) {
    first[row] = finished(first[row] as number)
    second[row] = finished(second[row] as number)
  }
}

function hashWords({ words, width, nulls }: BlockColumn, rows: number, first: Uint32Array, second: Uint32Array): void {
  if (!nulls.includes(1)) return (width === 4 ? hashWide : hashNarrow)(words, rows, first, second, width)
  for (let row = 0; row < rows; row++) {
    let a = first[row] as number
    let b = second[row] as number
    if (nulls[row] === 1) {
      a = absent(a)
      b = absent(b)
    } else {
      for (let at = row * width, end = at + width; at < end; at++) {
        const word = words[at] as number
        a = Math.imul(a ^ word, 0x85ebca6b)
        a ^= a >>> 15
        b = Math.imul(b ^ word, 0xc2b2ae35)
        b ^= b >>> 13
      }
    }
    first[row] = a
    second[row] = b
  }
}

/** The same without nulls for one word or two: no loop within the loop, which takes half the time. */
function hashNarrow(words: Uint32Array, rows: number, first: Uint32Array, second: Uint32Array, width: number): void {
  for (let row = 0, at = 0; row < rows; row++, at += width) {
    const w = words[at] as number
    let a = Math.imul((first[row] as number) ^ w, 0x85ebca6b)
    let b = Math.imul((second[row] as number) ^ w, 0xc2b2ae35)
    if (width === 2) {
      const x = words[at + 1] as number
      a = Math.imul(a ^ (a >>> 15) ^ x, 0x85ebca6b)
      b = Math.imul(b ^ (b >>> 13) ^ x, 0xc2b2ae35)
    }
    first[row] = a ^ (a >>> 15)
    second[row] = b ^ (b >>> 13)
  }
}

/** And for four of them, such as uuids. */
function hashWide(words: Uint32Array, rows: number, first: Uint32Array, second: Uint32Array): void {
  for (let row = 0, at = 0; row < rows; row++, at += 4) {
    const w = words[at] as number
    const x = words[at + 1] as number
    const y = words[at + 2] as number
    const z = words[at + 3] as number
    let a = Math.imul((first[row] as number) ^ w, 0x85ebca6b)
    let b = Math.imul((second[row] as number) ^ w, 0xc2b2ae35)
    a = Math.imul(a ^ (a >>> 15) ^ x, 0x85ebca6b)
    b = Math.imul(b ^ (b >>> 13) ^ x, 0xc2b2ae35)
    a = Math.imul(a ^ (a >>> 15) ^ y, 0x85ebca6b)
    b = Math.imul(b ^ (b >>> 13) ^ y, 0xc2b2ae35)
    a = Math.imul(a ^ (a >>> 15) ^ z, 0x85ebca6b)
    b = Math.imul(b ^ (b >>> 13) ^ z, 0xc2b2ae35)
    first[row] = a ^ (a >>> 15)
    second[row] = b ^ (b >>> 13)
  }
}

function hashTexts({ words, texts, nulls }: BlockColumn, rows: number, first: Uint32Array, second: Uint32Array): void {
  if (!texts) return
  for (let row = 0; row < rows; row++) {
    let a = first[row] as number
    let b = second[row] as number
    if (nulls[row] === 1) {
      a = absent(a)
      b = absent(b)
    } else {
      const number = words[row] as number
      a = Math.imul(a ^ (texts.first[number] as number), 0x85ebca6b)
      a ^= a >>> 15
      b = Math.imul(b ^ (texts.second[number] as number), 0xc2b2ae35)
      b ^= b >>> 13
    }
    first[row] = a
    second[row] = b
  }
}

/** Null is no value: it is mixed in by a step of its own. */
function absent(hash: number): number {
  const mixed = Math.imul(hash ^ 0x5f356495, 0x27d4eb2f)
  return mixed ^ (mixed >>> 14)
}

/** Spreads what came last over all bits (the finalizer of MurmurHash3, which is in the public domain). */
function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

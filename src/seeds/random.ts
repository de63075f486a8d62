/**
 * Random numbers by position: `value = f(seed, generator version, table, column, row, draw)`. There is no stream to advance, so any row can
 * be made alone, in any order, on any machine, and again.
 *
 * The function is Philox4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw: Parallel Random Numbers: As Easy as 1, 2, 3; SC11): a keyed
 * bijection of 128-bit counters, ten rounds of two 32 × 32 → 64 bit multiplications.
 */
import { createHash } from 'node:crypto'

/** Raised when the same seed would give other values: then every digest changes, and that must be seen in a review. */
export const generatorVersion = 1

/** The four words of one draw, each an unsigned 32-bit integer. The array is reused by the next draw of the same stream. */
export type Words = Uint32Array

/** The draws of one column of one table. */
export interface Stream {
  /** `row` is an integer from 0 below 2^53, `draw` tells several draws of one row apart. */
  words(row: number, draw?: number): Words
  /** In [0, 1), with 53 bits. */
  uniform(row: number, draw?: number): number
}

export function openStream(seed: string, table: string, column: string): Stream {
  const digest = createHash('sha256')
    .update(['plinth seed', String(generatorVersion), seed, table, column].join('\0'))
    .digest()
  const key0 = digest.readUInt32LE(0)
  const key1 = digest.readUInt32LE(4)
  const lane = digest.readUInt32LE(8)
  const out = new Uint32Array(4)
  const words = (row: number, draw = 0): Words =>
    philox(row >>> 0, Math.floor(row / 0x1_0000_0000), lane, draw, key0, key1, out)
  return {
    words,
    uniform(row, draw) {
      words(row, draw)
      return unit(out[0] ?? 0, out[1] ?? 0)
    },
  }
}

/** A number in [0, 1) of 53 bits from two words: 21 bits of one above the 32 of the other. */
export function unit(high: number, low: number): number {
  return ((high >>> 11) * 0x1_0000_0000 + low) / 0x20_0000_0000_0000
}

/** One block of Philox4x32-10, written to `out`. */
export function philox(
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
  out: Words,
): Words {
  let c0 = counter0
  let c1 = counter1
  let c2 = counter2
  let c3 = counter3
  let k0 = key0
  let k1 = key1
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0)
    const low0 = Math.imul(0xd2511f53, c0)
    const high1 = multiplyHigh(0xcd9e8d57, c2)
    const low1 = Math.imul(0xcd9e8d57, c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + 0x9e3779b9) | 0
    k1 = (k1 + 0xbb67ae85) | 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
  return out
}

/** The upper 32 bits of the product of two unsigned 32-bit integers, by 16-bit halves, since doubles hold 53 bits only. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16
  const aLow = a & 0xffff
  const bHigh = b >>> 16
  const bLow = b & 0xffff
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const cross = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) | 0
}

/**
 * Shapes of values. Only + − × ÷ and square roots are used, which IEEE 754 fixes to the last bit; `Math.exp`, `Math.log` and `Math.pow` may
 * differ between JavaScript engines, and a digest must not.
 */
import type { Words } from './random.ts'

/** e^x for |x| ≤ 700: 2^k · e^r with |r| ≤ ln 2 / 2, and the Taylor series of e^r, whose 15th term is below 2^-63. */
export function exponential(x: number): number {
  const bounded = Math.max(-700, Math.min(700, x))
  const k = Math.round(bounded / ln2)
  const r = bounded - k * ln2
  let sum = 1
  for (let n = 15; n >= 1; n--) sum = 1 + (r * sum) / n
  return sum * powerOfTwo(k)
}

/** ln x for x > 0: x = m · 2^k with m in [√½, √2), and ln m = 2 · artanh((m − 1) / (m + 1)). */
export function logarithm(x: number): number {
  let m = x
  let k = 0
  for (; m >= Math.SQRT2; m /= 2) k++
  for (; m < Math.SQRT1_2; m *= 2) k--
  const t = (m - 1) / (m + 1)
  const square = t * t
  let sum = 0
  for (let n = 21; n >= 1; n -= 2) sum = sum * square + 1 / n
  return k * ln2 + 2 * t * sum
}

/**
 * Nearly a standard normal value, as the sum of eight uniform values of 16 bits each (P. Irwin 1927, P. Hall 1927), scaled to variance 1. The
 * tails end at ±4.9, which suits made-up latencies.
 */
export function normal(words: Words): number {
  let sum = 0
  for (let i = 0; i < 4; i++) {
    const word = words[i] ?? 0
    sum += (word & 0xffff) + (word >>> 16)
  }
  const mean = (sum + 4) / 0x10000
  return (mean - 4) * Math.sqrt(1.5)
}

/** A value of a log-normal distribution, told by its median and the standard deviation of its logarithm. */
export function logNormal(words: Words, median: number, sigma: number): number {
  return median * exponential(sigma * normal(words))
}

/** Picks an index by weight. */
export interface Choice {
  /** `u` in [0, 1). */
  pick(u: number): number
  /** The place within the picked item, again in [0, 1): where `u` fell in its share. */
  within(u: number): { readonly index: number; readonly rest: number }
}

/** Weights are at least 0 and one is above. */
export function weighted(weights: readonly number[]): Choice {
  const bounds = new Float64Array(weights.length)
  let total = 0
  for (const [index, weight] of weights.entries()) {
    total += weight
    bounds[index] = total
  }
  const find = (target: number): number => {
    let low = 0
    let high = bounds.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((bounds[middle] ?? 0) > target) high = middle
      else low = middle + 1
    }
    return low
  }
  return {
    pick: u => find(u * total),
    within(u) {
      const target = u * total
      const index = find(target)
      const start = index === 0 ? 0 : (bounds[index - 1] ?? 0)
      const width = (bounds[index] ?? 0) - start
      return { index, rest: Math.min(Math.max((target - start) / width, 0), 1 - 2 ** -53) }
    },
  }
}

/** Weights 1, 1/2^s, 1/3^s, …: few tenants have most of the traffic (Zipf's law). */
export function zipfWeights(count: number, exponent: number): number[] {
  return Array.from({ length: count }, (_, index) => exponential(-exponent * logarithm(index + 1)))
}

const ln2 = 0.6931471805599453

/** Exact, by repeated multiplication. */
function powerOfTwo(k: number): number {
  let result = 1
  const factor = k < 0 ? 0.5 : 2
  for (let i = Math.abs(k); i > 0; i--) result *= factor
  return result
}

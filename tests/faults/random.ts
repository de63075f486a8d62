/** Numbers that look random and are the same for the same seed, so that a fault which failed can be injected again. */
export interface Random {
  /** From 0 up to and without 1. */
  next(): number
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  pick<T>(list: readonly T[]): T
  /** True in so many of a hundred cases. */
  chance(percent: number): boolean
  shuffle<T>(list: readonly T[]): T[]
}

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    chance: percent => next() * 100 < percent,
    pick<T>(list: readonly T[]): T {
      const chosen = list[Math.floor(next() * list.length)]
      if (chosen === undefined) throw new Error('There is nothing to pick from.')
      return chosen
    },
    shuffle<T>(list: readonly T[]): T[] {
      const result = [...list]
      for (let at = result.length - 1; at > 0; at--) {
        const other = between(0, at)
        const [a, b] = [result[at] as T, result[other] as T]
        result[at] = b
        result[other] = a
      }
      return result
    },
  }
}

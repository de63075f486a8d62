/** Numbers that are the same for the same seed, so that a failure can be told by its seed. */
export interface Dice {
  /** In [0, 1). */
  next(): number
  /** A whole number from 0 up to, but not including, `count`. */
  below(count: number): number
  pick<T>(items: readonly T[]): T
  /** True that often. */
  chance(part: number): boolean
  /** One of the names, each as often as its weight says. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T
  shuffle<T>(items: readonly T[]): T[]
}

export function diceOf(seed: number): Dice {
  const next = random(seed)
  const below = (count: number) => Math.floor(next() * count)
  return {
    next,
    below,
    pick: items => items[below(items.length)] as never,
    chance: part => next() < part,
    weighted(weights) {
      const entries = Object.entries(weights) as [never, number][]
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) if ((left -= weight) < 0) return name
      return entries[0]?.[0] as never
    },
    shuffle(items) {
      const all = [...items]
      for (let at = all.length - 1; at > 0; at--) {
        const other = below(at + 1)
        ;[all[at], all[other]] = [all[other] as never, all[at] as never]
      }
      return all
    },
  }
}

export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

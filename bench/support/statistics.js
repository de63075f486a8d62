// Figures of repeated runs. Contenders take turns within a round, so that a machine that speeds up or slows down does so for all of them.

/** Runs every contender once a round, in an order that turns; answers the milliseconds of each by name. */
export async function takeTurns(contenders, rounds) {
  const names = Object.keys(contenders)
  const times = Object.fromEntries(names.map(name => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(at + round) % names.length]
      times[name][round] = await contenders[name](round)
    }
  }
  return times
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]
}

/** How the times of one compare with those of another of the same rounds. */
export function compare(mine, other) {
  return {
    ratioOfMedians: round(median(mine) / median(other), 3),
    medianOfRatios: round(median(mine.map((ms, at) => ms / other[at])), 3),
    ratioOfLeast: round(Math.min(...mine) / Math.min(...other), 3),
  }
}

/** What one costs beyond another of the same rounds, in milliseconds. */
export function beyond(mine, other) {
  return {
    medianOfDifferencesMs: round(median(mine.map((ms, at) => ms - other[at])), 1),
    differenceOfLeastMs: round(Math.min(...mine) - Math.min(...other), 1),
  }
}

export function summary(values) {
  return {
    leastMs: round(Math.min(...values), 1),
    medianMs: round(median(values), 1),
    mostMs: round(Math.max(...values), 1),
  }
}

export function round(value, digits) {
  return Number(value.toFixed(digits))
}

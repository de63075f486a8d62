/** What happened, so that nobody has to believe that it did. */
export type Tally = Map<string, number>

export function count(tally: Tally, what: string, times = 1): void {
  tally.set(what, (tally.get(what) ?? 0) + times)
}

/** A line each, in the order of the alphabet. */
export function told(tally: Tally): string {
  const lines = [...tally].sort(([a], [b]) => (a < b ? -1 : 1))
  return lines.map(([what, times]) => `  ${String(times).padStart(8)}  ${what}`).join('\n')
}

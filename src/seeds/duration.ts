/** Lengths of time as people write them in table files: `250ms`, `2s`, `90m`, `36h`, `4d`, `2w`. */

/** Milliseconds; undefined when it cannot be read. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text.trim())
  const unit = units[match?.[2] ?? '']
  return match?.[1] && unit ? Number(match[1]) * unit : undefined
}

/** Like durationMs, with an optional sign in front. */
export function offsetMs(text: string): number | undefined {
  const trimmed = text.trim()
  const length = durationMs(trimmed.replace(/^[+-]/, ''))
  return length === undefined ? undefined : trimmed.startsWith('-') ? -length : length
}

/** A moment in UTC with milliseconds, as PostgreSQL and people read it. */
export function instantText(ms: number): string {
  return new Date(Math.floor(ms)).toISOString()
}

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

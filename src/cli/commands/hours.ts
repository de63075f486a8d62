/** Hours and days of UTC as people type them. */
import { PlinthError } from '../../errors.ts'

export interface Span {
  /** ISO 8601 with microseconds, UTC. */
  readonly from: string
  /** The instant before which it ends: an hour later, or a day. */
  readonly until: string
}

/** Throws USAGE for what is no such time, among them days that no calendar has. */
export function spanOf(given: string, what: string): Span {
  const [, day = '', hour] = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::00(?::00(?:\.0+)?)?)?Z?)?$/.exec(given) ?? []
  const at = Date.parse(`${day}T${hour ?? '00'}:00:00Z`)
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(`${day}T${hour ?? '00'}`))
    throw new PlinthError('USAGE', `${what} takes a UTC day or hour, and "${given}" is none.`, {
      hint: 'Write a day such as 2026-01-31, or an hour such as 2026-01-31T05.',
    })
  return { from: written(at), until: written(at + (hour === undefined ? 86_400_000 : 3_600_000)) }
}

function written(at: number): string {
  return new Date(at).toISOString().replace('.000Z', '.000000Z')
}

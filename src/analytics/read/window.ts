/**
 * A stretch of time in a time zone, cut so that whole hours can be answered from a rollup by hours. An hour in which a local period begins, or
 * the window begins or ends, is a mixture: only the rows themselves can tell its parts apart. Which hours those are is known beforehand.
 */
import { PlinthError } from '../../errors.ts'

export const units = ['hour', 'day', 'week', 'month'] as const

/** A period of local time; weeks begin on Monday. */
export type Unit = (typeof units)[number]

/** Moments are microseconds since 1970. */
export interface Window {
  readonly from: number
  /** Not included. */
  readonly until: number
  /** A name of the IANA time zone database, or an offset such as `+05:45`. */
  readonly timeZone: string
  /** Periods that are told apart; null when the window is one. */
  readonly unit: Unit | null
}

/** A stretch of time without a change of the offset. */
export interface Regime {
  readonly from: number
  readonly until: number
  /** Local time minus UTC. */
  readonly offsetSeconds: number
}

export interface Stretch {
  readonly from: number
  readonly until: number
}

export interface WindowPlan extends Window {
  /** In order; they begin with the window's first hour and end with its last. */
  readonly regimes: readonly Regime[]
  /** Whole hours (UTC), of which the edges are left out; null when there is none. */
  readonly hours: Stretch | null
  /** Hours (UTC) that are mixtures: disjoint, in order, each of whole hours. They may reach beyond the window. */
  readonly edges: readonly Stretch[]
}

export const hourMicros = 3_600_000_000

/** Cuts a window. Throws USAGE for an unknown time zone or a window that ends before it begins. */
export function planWindow(window: Window): WindowPlan {
  const { from, until, unit, timeZone } = window
  if (until <= from)
    throw new PlinthError(
      'USAGE',
      until === from ? 'The window is empty: it ends where it begins.' : 'The window ends before it begins.',
      {
        hint: 'The end is not included; give one that lies after the beginning.',
      },
    )
  const first = floorHour(from)
  const last = ceilHour(until)
  const regimes = regimesBetween(first, last, offsetsOf(timeZone))
  const edges = merged([
    ...[from, until].filter(moment => floorHour(moment) !== moment).map(hourAround),
    ...(unit === null ? [] : regimes.flatMap(regime => mixtures(regime, unit, window))),
  ])
  const whole = last - first
  const rest = whole - edges.reduce((sum, edge) => sum + edge.until - edge.from, 0)
  return { ...window, regimes, hours: rest > 0 ? { from: first, until: last } : null, edges }
}

/**
 * The moment of a text: ISO 8601 with `Z` or an offset, or a local date or time of the zone. A local time that a change of the clocks leaves out is
 * as much later; of one that occurs twice it is the first. Throws USAGE.
 */
export function momentOf(text: string, timeZone: string): number {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)?(Z|[+-]\d\d:?\d\d)?$/i.exec(
    text,
  )
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (match ?? [])
    .slice(1, 7)
    .map(part => Number(part ?? 0))
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  const written = Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 10)
  const valid = written === text.slice(0, 10) && hour < 24 && minute < 60 && second < 60
  if (!match || !valid || year < 1900 || year > 2200)
    throw new PlinthError('USAGE', `"${text}" is no moment.`, {
      hint: 'Write a date or a time such as 2026-03-01, 2026-03-01T08:30 or 2026-03-01T08:30:00Z, between the years 1900 and 2200.',
    })
  const micros = ms * 1000 + Number((match[7] ?? '').padEnd(6, '0'))
  const zone = match[8]
  if (zone !== undefined) return micros - (zone.toUpperCase() === 'Z' ? 0 : secondsOf(zone)) * 1_000_000
  const offsetAt = offsetsOf(timeZone)
  const [before, after] = [micros - dayMicros, micros + dayMicros].map(offsetAt) as [number, number]
  const candidates = [before, after].map(offset => ({ offset, moment: micros - offset * 1_000_000 }))
  const real = candidates.filter(({ offset, moment }) => offsetAt(moment) === offset).map(({ moment }) => moment)
  return real.length > 0 ? Math.min(...real) : micros - before * 1_000_000
}

/** ISO 8601 in UTC with microseconds, as engines write moments. */
export function isoOf(micros: number): string {
  const rest = ((micros % 1_000_000) + 1_000_000) % 1_000_000
  return `${new Date((micros - rest) / 1000).toISOString().slice(0, -4)}${String(rest).padStart(6, '0')}Z`
}

/** `+05:30`; with seconds where the offset has them. */
export function offsetText(seconds: number): string {
  const all = Math.abs(seconds)
  const parts = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60].map(part => String(part).padStart(2, '0'))
  return `${seconds < 0 ? '-' : '+'}${parts.slice(0, all % 60 === 0 ? 2 : 3).join(':')}`
}

const dayMicros = 24 * hourMicros

function floorHour(moment: number): number {
  return Math.floor(moment / hourMicros) * hourMicros
}

function ceilHour(moment: number): number {
  return Math.ceil(moment / hourMicros) * hourMicros
}

function hourAround(moment: number): Stretch {
  return { from: floorHour(moment), until: floorHour(moment) + hourMicros }
}

/** Hours of a regime that hold the beginning of a local period anywhere but at their own beginning. */
function mixtures(regime: Regime, unit: Unit, window: Window): Stretch[] {
  const from = Math.max(regime.from, window.from)
  const until = Math.min(regime.until, window.until)
  if (until <= from) return []
  const begun = regime.from > window.from && floorHour(regime.from) !== regime.from ? [hourAround(regime.from)] : []
  if (regime.offsetSeconds % 3600 === 0) return begun
  if (unit === 'hour') return [...begun, { from: floorHour(from), until: ceilHour(until) }]
  const offset = regime.offsetSeconds * 1_000_000
  const found: Stretch[] = begun
  for (let day = Math.ceil((from + offset) / dayMicros); day * dayMicros - offset < until; day++) {
    if (!begins(day, unit)) continue
    const moment = day * dayMicros - offset
    if (floorHour(moment) !== moment) found.push(hourAround(moment))
  }
  return found
}

/** Whether a period begins with this day, counted from 1970-01-01, a Thursday. */
function begins(day: number, unit: Unit): boolean {
  if (unit === 'week') return (((day - 4) % 7) + 7) % 7 === 0
  return unit === 'month' ? new Date(day * 86_400_000).getUTCDate() === 1 : true
}

function merged(stretches: readonly Stretch[]): Stretch[] {
  const done: { from: number; until: number }[] = []
  for (const { from, until } of [...stretches].sort((a, b) => a.from - b.from)) {
    const last = done.at(-1)
    if (last && from <= last.until) last.until = Math.max(last.until, until)
    else done.push({ from, until })
  }
  return done
}

type OffsetAt = (moment: number) => number

/** No zone changes its clocks twice within a day and back again, so a look a day finds every change; halving finds its second. */
function regimesBetween(from: number, until: number, offsetAt: OffsetAt): Regime[] {
  const regimes: Regime[] = []
  let start = from
  let offsetSeconds = offsetAt(from)
  for (let at = from; at < until; ) {
    const next = Math.min(at + dayMicros, until)
    if (offsetAt(next) !== offsetSeconds) {
      const change = changeBetween(at, next, offsetSeconds, offsetAt)
      if (change >= until) break
      regimes.push({ from: start, until: change, offsetSeconds })
      start = change
      offsetSeconds = offsetAt(change)
      at = change
    } else at = next
  }
  return [...regimes, { from: start, until, offsetSeconds }]
}

/** The first second with another offset. */
function changeBetween(from: number, until: number, offsetSeconds: number, offsetAt: OffsetAt): number {
  let [low, high] = [Math.floor(from / 1_000_000), Math.ceil(until / 1_000_000)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle * 1_000_000) === offsetSeconds) low = middle
    else high = middle
  }
  return high * 1_000_000
}

function offsetsOf(timeZone: string): OffsetAt {
  if (/^[+-]\d\d:?\d\d$/.test(timeZone)) {
    const seconds = secondsOf(timeZone)
    return () => seconds
  }
  const format = formatOf(timeZone)
  return moment => {
    const second = Math.floor(moment / 1_000_000)
    const part = Object.fromEntries(format.formatToParts(second * 1000).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: ofMinute = 0 } = part
    return Date.UTC(year, month - 1, day, hour, minute, ofMinute) / 1000 - second
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const two = '2-digit'
  const parts = { year: 'numeric', month: two, day: two, hour: two, minute: two, second: two } as const
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', calendar: 'gregory', ...parts })
  } catch (error) {
    throw new PlinthError('USAGE', `There is no time zone "${timeZone}".`, {
      hint: 'Write a name such as Europe/Berlin or Asia/Kolkata, or an offset such as +05:45.',
      cause: error,
    })
  }
}

function secondsOf(offset: string): number {
  const seconds = Number(offset.slice(1, 3)) * 3600 + Number(offset.slice(-2)) * 60
  return offset.startsWith('-') ? -seconds : seconds
}

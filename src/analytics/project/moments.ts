/** Times as Python's templates have them: `run_started_at`, and what `modules.datetime` makes. They print, format and add up as in Python. */
import { PlinthError } from '../../errors.ts'
import { strict, type TemplateFunction, type TemplateValue } from '../../sql/template.ts'
import type { Moment } from './project.ts'
import { textOf } from './shapes.ts'
import { strftime, strptime } from './time-format.ts'
import { offsetOf, spanOf, zoneNamed, zoneOf } from './zones.ts'

/** A clock's reading without a zone as if it were UTC, in milliseconds, or a day alone, or what lies between two of them. */
interface Reading {
  readonly kind: 'datetime' | 'date' | 'timedelta'
  readonly ms: number
  /** Printed behind a time, such as `+00:00`. */
  readonly zone: string
}

const dayMs = 86_400_000

/** `run_started_at` */
export function momentValue({ startedAt }: Moment): TemplateValue {
  return valueOf({ kind: 'datetime', ms: Date.parse(startedAt), zone: '+00:00' })
}

/** `modules.datetime`; now is when the run started, so that a rendering is the same each time within it. */
export function datetimeModule({ startedAt }: Moment): TemplateValue {
  const now = Date.parse(startedAt)
  const zoned = (given: unknown) => valueOf(given ? readingIn(now, given) : { kind: 'datetime', ms: now, zone: '' })
  const today = () => valueOf({ kind: 'date', ms: Math.floor(now / dayMs) * dayMs, zone: '' })
  const parse: TemplateFunction = ([text, format]) =>
    valueOf({ kind: 'datetime', ms: strptime(textOf(text) ?? '', textOf(format) ?? ''), zone: '' })
  const isoOf =
    (kind: Reading['kind']): TemplateFunction =>
    ([text]) => {
      const given = textOf(text) ?? ''
      const ms = Date.parse(
        /[T ]/.test(given) ? `${given.replace(' ', 'T').replace(/(Z|[+-]\d\d:?\d\d)$/, '')}Z` : given,
      )
      return valueOf({ kind, ms: checked(ms, given), zone: '' })
    }
  const datetime: TemplateFunction = (positional, named) =>
    // As in Python, a time that is made with a zone has the zone's oldest offset, and localize() has the right one.
    valueOf({
      kind: 'datetime',
      ms: made(positional, named),
      zone: zoneOf(positional[7] ?? named['tzinfo'])?.first ?? '',
    })
  const date: TemplateFunction = (positional, named) => valueOf({ kind: 'date', ms: made(positional, named), zone: '' })
  const timedelta: TemplateFunction = ([days, seconds], named) => {
    const count = (key: string, given?: unknown) => Number(textOf(given ?? named[key]) ?? 0)
    const hours = (count('days', days) + count('weeks') * 7) * 24 + count('hours')
    const ms = (hours * 60 + count('minutes')) * 60_000 + count('seconds', seconds) * 1000 + count('milliseconds')
    return valueOf({ kind: 'timedelta', ms, zone: '' })
  }
  return strict('modules.datetime', {
    datetime: Object.assign(datetime, {
      now: (([zone], named) => zoned(zone ?? named['tz'])) satisfies TemplateFunction,
      utcnow: () => zoned(null),
      today: () => zoned(null),
      strptime: parse,
      fromisoformat: isoOf('datetime'),
    }),
    date: Object.assign(date, { today, fromisoformat: isoOf('date') }),
    timedelta,
    timezone: { utc: 'UTC' },
  })
}

/** `modules.pytz` */
export function pytzModule(): TemplateValue {
  const localize =
    (name: string): TemplateFunction =>
    ([time]) => {
      const reading = readingOf(time)
      if (!reading) throw new PlinthError('TRANSFORM_INVALID', 'localize() needs a time.')
      // The offset of the moment at which a clock there shows it.
      const about = reading.ms - spanOf(offsetOf(name, reading.ms))
      return valueOf({ ...reading, zone: offsetOf(name, about) })
    }
  const utc = zoneNamed('UTC', localize)
  return strict('modules.pytz', { utc, UTC: utc, timezone: ([name]) => zoneNamed(textOf(name) ?? '', localize) })
}

/** What a clock shows there at a moment. */
function readingIn(ms: number, to: unknown): Reading {
  const zone = offsetOf(zoneOf(to)?.name ?? 'UTC', ms)
  return { kind: 'datetime', ms: ms + spanOf(zone), zone }
}

function made(positional: readonly unknown[], named: Readonly<Record<string, unknown>>): number {
  const parts = ['year', 'month', 'day', 'hour', 'minute', 'second'].map((key, at) => positional[at] ?? named[key])
  const [year, month, day, hour, minute, second] = parts.map(part => Number(textOf(part) ?? 0))
  const ms = Date.UTC(year ?? 0, (month ?? 1) - 1, day ?? 1, hour ?? 0, minute ?? 0, second ?? 0)
  return checked(ms, parts.join('-'))
}

function checked(ms: number, given: string): number {
  if (Number.isFinite(ms)) return ms
  throw new PlinthError('TRANSFORM_INVALID', `"${given}" is no time.`)
}

/** As templates hold it: what stands behind its dots, and how it adds up. */
function valueOf(reading: Reading): TemplateValue {
  const { kind, ms, zone } = reading
  const readings = kind === 'timedelta' ? spanParts(ms) : clockParts(reading)
  const text = printed(reading)
  const plus =
    (sign: 1 | -1): TemplateFunction =>
    ([other]) => {
      const right = readingOf(other)
      if (!right) throw new PlinthError('TRANSFORM_INVALID', 'A time is added up with no time.')
      if (kind !== 'timedelta' && right.kind !== 'timedelta')
        return valueOf({ kind: 'timedelta', ms: ms - right.ms, zone: '' })
      const result = kind === 'timedelta' ? right.kind : kind
      return valueOf({ kind: result, ms: ms + sign * right.ms, zone: zone || right.zone })
    }
  const value: TemplateValue = {
    kind: 'relation',
    schema: '',
    identifier: '',
    text,
    attributes: { ...readings, __add__: plus(1), __sub__: plus(-1) },
  }
  known.set(value, reading)
  return value
}

const known = new WeakMap<object, Reading>()

function readingOf(value: unknown): Reading | undefined {
  return typeof value === 'object' && value !== null ? known.get(value) : undefined
}

function spanParts(ms: number): Record<string, TemplateValue> {
  return {
    days: Math.floor(ms / dayMs),
    seconds: Math.floor((((ms % dayMs) + dayMs) % dayMs) / 1000),
    total_seconds: () => ms / 1000,
  }
}

function clockParts(reading: Reading): Record<string, TemplateValue> {
  const { kind, ms, zone } = reading
  const at = new Date(ms)
  const weekday = (at.getUTCDay() + 6) % 7
  const moved: TemplateFunction = (_, named) => {
    const part = (key: string, now: number) => Number(textOf(named[key]) ?? now)
    const day = Date.UTC(
      part('year', at.getUTCFullYear()),
      part('month', at.getUTCMonth() + 1) - 1,
      part('day', at.getUTCDate()),
    )
    const clock =
      (part('hour', at.getUTCHours()) * 60 + part('minute', at.getUTCMinutes())) * 60 +
      part('second', at.getUTCSeconds())
    const rest = part('microsecond', at.getUTCMilliseconds() * 1000) / 1000
    return valueOf({
      kind,
      ms: day + clock * 1000 + rest,
      zone: 'tzinfo' in named && named['tzinfo'] === null ? '' : zone,
    })
  }
  return {
    strftime: ([format]) => strftime(at, textOf(format) ?? '%Y-%m-%d %H:%M:%S', zone),
    isoformat: () => printed(reading).replace(' ', 'T'),
    date: () => valueOf({ kind: 'date', ms: Math.floor(ms / dayMs) * dayMs, zone: '' }),
    replace: moved,
    astimezone: ([to], named) => valueOf(readingIn(ms - spanOf(zone), to ?? named['tz'] ?? 'UTC')),
    timestamp: () => (ms - spanOf(zone)) / 1000,
    weekday: () => weekday,
    isoweekday: () => weekday + 1,
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
    second: at.getUTCSeconds(),
    microsecond: at.getUTCMilliseconds() * 1000,
  }
}

function printed({ kind, ms, zone }: Reading): string {
  if (kind === 'timedelta') {
    const days = Math.floor(ms / dayMs)
    const clock = new Date(ms - days * dayMs).toISOString().slice(11, 19).replace(/^0/, '')
    return days === 0 ? clock : `${days} day${Math.abs(days) === 1 ? '' : 's'}, ${clock}`
  }
  const text = new Date(ms).toISOString()
  if (kind === 'date') return text.slice(0, 10)
  const fraction = text.slice(20, 23) === '000' ? '' : `.${text.slice(20, 23)}000`
  return `${text.slice(0, 10)} ${text.slice(11, 19)}${fraction}${zone}`
}

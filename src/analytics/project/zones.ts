/** Time zones as templates have them, by `modules.pytz`. */
import { PlinthError } from '../../errors.ts'
import type { TemplateFunction, TemplateValue } from '../../sql/template.ts'

interface Zone {
  readonly name: string
  /** Its offset before there was a standard time. */
  readonly first: string
}

const known = new WeakMap<object, Zone>()

/** Throws TRANSFORM_INVALID for a zone that nobody knows. */
export function zoneNamed(name: string, localize: (name: string) => TemplateFunction): TemplateValue {
  const zone = { name, first: offsetOf(name, Date.UTC(1800, 0, 1)) }
  const value: TemplateValue = {
    kind: 'relation',
    schema: '',
    identifier: '',
    text: name,
    attributes: { zone: name, localize: localize(name) },
  }
  known.set(value, zone)
  return value
}

export function zoneOf(value: unknown): Zone | undefined {
  return typeof value === 'object' && value !== null ? known.get(value) : undefined
}

/** How far clocks there are ahead of UTC at a moment, such as `-07:00`, to the minute. */
export function offsetOf(name: string, ms: number): string {
  const parts = partsIn(name).formatToParts(ms)
  const part = (type: string) => Number(parts.find(one => one.type === type)?.value ?? 0)
  const clock = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  const minutes = Math.round((clock - Math.floor(ms / 1000) * 1000) / 60_000)
  const two = (number: number) => String(number).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
}

/** Milliseconds of an offset; none for a time without a zone. */
export function spanOf(offset: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(offset) ?? []
  const ms = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000
  return sign === '-' ? -ms : ms
}

function partsIn(timeZone: string): Intl.DateTimeFormat {
  const numeric = 'numeric'
  const fields = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  } as const
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields })
  } catch (error) {
    throw new PlinthError('TRANSFORM_INVALID', `There is no time zone "${timeZone}".`, {
      hint: 'Write it as the IANA database has it, such as America/Los_Angeles.',
      cause: error,
    })
  }
}

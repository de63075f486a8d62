/** Times as text and back, in Python's `strftime` and `strptime`. */
import { PlinthError } from '../../errors.ts'

const dayMs = 86_400_000

const names = {
  month: [
    'January',
    'February',
    'March',
    'April',
    'May',
    'June',
    'July',
    'August',
    'September',
    'October',
    'November',
    'December',
  ],
  day: ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'],
} as const

/** `zone` is printed as `%z` has it, such as `+0100`; empty for a time without one. */
export function strftime(at: Date, format: string, zone: string): string {
  const iso = at.toISOString()
  const month = names.month[at.getUTCMonth()] ?? ''
  const day = names.day[at.getUTCDay()] ?? ''
  const ofYear = Math.floor((at.getTime() - Date.UTC(at.getUTCFullYear(), 0, 1)) / dayMs) + 1
  const parts: Readonly<Record<string, string>> = {
    Y: iso.slice(0, 4),
    m: iso.slice(5, 7),
    d: iso.slice(8, 10),
    H: iso.slice(11, 13),
    I: String(at.getUTCHours() % 12 || 12).padStart(2, '0'),
    p: at.getUTCHours() < 12 ? 'AM' : 'PM',
    M: iso.slice(14, 16),
    S: iso.slice(17, 19),
    f: `${iso.slice(20, 23)}000`,
    y: iso.slice(2, 4),
    F: iso.slice(0, 10),
    T: iso.slice(11, 19),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    j: String(ofYear).padStart(3, '0'),
    w: String(at.getUTCDay()),
    u: String(at.getUTCDay() || 7),
    s: String(Math.floor(at.getTime() / 1000)),
    z: zone.replace(':', ''),
    Z: zone === '' ? '' : zone === '+00:00' ? 'UTC' : `UTC${zone}`,
    '%': '%',
  }
  return format.replace(/%(.)/g, (all, letter: string) => parts[letter] ?? all)
}

const digits: Readonly<Record<string, string>> = {
  Y: '\\d{4}',
  m: '\\d{1,2}',
  d: '\\d{1,2}',
  H: '\\d{1,2}',
  M: '\\d{1,2}',
  S: '\\d{1,2}',
  f: '\\d{1,6}',
  y: '\\d{2}',
}

/** Milliseconds since 1970. Throws TRANSFORM_INVALID for a text that is not of the format. */
export function strptime(text: string, format: string): number {
  const order: string[] = []
  const expanded = format.replaceAll('%F', '%Y-%m-%d').replaceAll('%T', '%H:%M:%S')
  const shape = expanded.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replace(/%(.)/g, (all, letter: string) => {
    order.push(letter)
    return digits[letter] ? `(${digits[letter]})` : all
  })
  const found = new RegExp(`^${shape}$`).exec(text)
  if (!found) throw new PlinthError('TRANSFORM_INVALID', `"${text}" is not of the format "${format}".`)
  const part = (letter: string, fallback: number) => Number(found[order.indexOf(letter) + 1] ?? fallback)
  const has = (letter: string) => order.includes(letter)
  const year = has('y') ? 2000 + part('y', 0) : has('Y') ? part('Y', 1900) : 1900
  const of = (letter: string, fallback: number) => (has(letter) ? part(letter, fallback) : fallback)
  const fraction = has('f') ? Number((found[order.indexOf('f') + 1] ?? '').padEnd(6, '0')) / 1000 : 0
  return Date.UTC(year, of('m', 1) - 1, of('d', 1), of('H', 0), of('M', 0), of('S', 0)) + fraction
}

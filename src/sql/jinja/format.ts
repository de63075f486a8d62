/** Texts with places to be filled in, as Python writes them. */
import { described, float, isFloat, itemsOf, kindOf, printed, spelled, type Value, wrong } from './values.ts'

/** `'%s-%03d' % (a, b)` */
export function percentFormat(text: string, given: Value): string {
  const values = kindOf(given) === 'tuple' ? [...itemsOf(given)] : [given]
  const named = given instanceof Map ? given : undefined
  const total = values.length
  let used = 0
  const filled = text.replace(
    /%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (all, name: string | undefined, flags: string, width: string, precision: string | undefined, letter: string) => {
      if (letter === '%') return '%'
      const value = name === undefined ? values[used++] : named?.get(name)
      if (value === undefined) throw wrong(`The text has more places than there are values: "${all}" is not filled.`)
      const body = letterOf(value, letter, precision)
      const signed =
        flags.includes('+') && !body.startsWith('-') && letter !== 's' && letter !== 'r' ? `+${body}` : body
      if (flags.includes('-')) return signed.padEnd(Number(width))
      return flags.includes('0') && letter !== 's' ? zeros(signed, Number(width)) : signed.padStart(Number(width))
    },
  )
  if (!named && used < total) throw wrong('There are more values than the text has places.')
  return filled
}

function letterOf(value: Value, letter: string, precision: string | undefined): string {
  if (letter === 's') return precision === undefined ? printed(value) : printed(value).slice(0, Number(precision))
  if (letter === 'r') return spelled(value)
  return numeric(value, letter === 'i' || letter === 'u' ? 'd' : letter, precision)
}

function numeric(value: Value, letter: string, precision: string | undefined): string {
  const number = isFloat(value) ? value.value : value
  if (typeof number !== 'number' && typeof number !== 'bigint')
    throw wrong(`"%${letter}" needs a number and was given ${described(value)}.`)
  if (letter === 'd') return String(typeof number === 'bigint' ? number : Math.trunc(number))
  if (letter === 'f' || letter === 'F') return Number(number).toFixed(Number(precision ?? 6))
  if (letter === 'x') return number.toString(16)
  if (letter === 'X') return number.toString(16).toUpperCase()
  if (letter === 'o') return number.toString(8)
  if (letter === 'b') return number.toString(2)
  if (letter === 'e')
    return Number(number)
      .toExponential(Number(precision ?? 6))
      .replace(/e([+-])(\d)$/, 'e$10$2')
  if (letter === 'g')
    return printed(float(Number(Number(number).toPrecision(Number(precision ?? 6) || 1)))).replace(/\.0$/, '')
  throw wrong(`"%${letter}" is not known here.`, 'Known: s, r, d, i, f, e, g, x, o.')
}

function zeros(text: string, width: number): string {
  const sign = /^[+-]/.exec(text)?.[0] ?? ''
  return sign + text.slice(sign.length).padStart(width - sign.length, '0')
}

/** `'{}-{name:>5}'.format(a, name=b)` */
export function braceFormat(text: string, positional: readonly Value[], named: ReadonlyMap<string, Value>): string {
  let next = 0
  return text.replace(
    /\{\{|\}\}|\{(\w*)(?:!([rs]))?(?::([^{}]*))?\}/g,
    (all, key: string | undefined, shown: string | undefined, spec: string | undefined) => {
      if (all === '{{' || all === '}}') return all.slice(1)
      const value = !key ? positional[next++] : /^\d+$/.test(key) ? positional[Number(key)] : named.get(key)
      if (value === undefined) throw wrong(`The place "${all}" of the text is not filled.`)
      return specified(shown === 'r' ? spelled(value) : value, spec ?? '')
    },
  )
}

function specified(value: Value, spec: string): string {
  const parts = /^(?:(.)?([<>^=]))?([+ ]?)(0?)(\d*)(,?)(?:\.(\d+))?([a-zA-Z%]?)$/.exec(spec)
  if (!parts) throw wrong(`"${spec}" says no format.`)
  const [, fill = ' ', align, sign = '', zero = '', width = '', comma = '', precision, letter = ''] = parts
  const isNumber = typeof value === 'number' || typeof value === 'bigint' || isFloat(value)
  const body = bodyOf(value, isNumber, letter, precision, comma)
  const signed = sign && isNumber && !body.startsWith('-') ? sign + body : body
  const size = Number(width)
  if (zero && !align) return zeros(signed, size)
  const side = align ?? (isNumber ? '>' : '<')
  if (side === '<') return signed.padEnd(size, fill)
  if (side === '^') return signed.padStart(Math.floor((size + signed.length) / 2), fill).padEnd(size, fill)
  return signed.padStart(size, fill)
}

function bodyOf(value: Value, isNumber: boolean, letter: string, precision: string | undefined, comma: string): string {
  if (!isNumber) return precision === undefined ? printed(value) : printed(value).slice(0, Number(precision))
  const number = isFloat(value) ? value.value : Number(value)
  if (letter === '%') return `${(number * 100).toFixed(Number(precision ?? 6))}%`
  const plain =
    letter === '' || letter === 'n'
      ? precision === undefined
        ? printed(value)
        : numeric(value, 'g', precision)
      : numeric(value, letter, precision)
  return comma ? plain.replace(/^(-?\d+)/, digits => digits.replace(/\B(?=(\d{3})+$)/g, ',')) : plain
}

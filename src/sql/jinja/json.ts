/** JSON as Python writes it. */
import { described, isFloat, kindOf, printed, type Tuple, type Value, wrong } from './values.ts'

export interface JsonOptions {
  /** 0 for one line. */
  readonly indent: number
  readonly sorted: boolean
}

export function asJson(value: Value, options: JsonOptions, depth = 0): string {
  if (typeof value === 'string')
    return JSON.stringify(value).replace(
      /[\u0080-\uffff]/g,
      letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
  if (value === null) return 'null'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number' || typeof value === 'bigint' || isFloat(value)) return printed(value)
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => [printed(key), item] as const)
    if (options.sorted) entries.sort(([a], [b]) => (a < b ? -1 : 1))
    return wrapped(
      '{',
      '}',
      entries.map(([key, item]) => `${asJson(key, options)}: ${asJson(item, options, depth + 1)}`),
      options,
      depth,
    )
  }
  const kind = kindOf(value)
  if (Array.isArray(value) || kind === 'tuple') {
    const items = Array.isArray(value) ? value : (value as Tuple).items
    return wrapped(
      '[',
      ']',
      items.map(item => asJson(item, options, depth + 1)),
      options,
      depth,
    )
  }
  if (kind === 'relation') return JSON.stringify(printed(value))
  throw wrong(`${described(value)} cannot be written as JSON.`)
}

function wrapped(
  open: string,
  close: string,
  items: readonly string[],
  { indent }: JsonOptions,
  depth: number,
): string {
  if (indent === 0 || items.length === 0) return `${open}${items.join(', ')}${close}`
  const pad = (level: number) => `\n${' '.repeat(indent * level)}`
  return `${open}${items.map(item => pad(depth + 1) + item).join(',')}${pad(depth)}${close}`
}

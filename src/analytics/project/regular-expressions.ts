/** `modules.re`: Python's regular expressions, as far as JavaScript's mean the same. */
import { PlinthError } from '../../errors.ts'
import { strict, type TemplateFunction, type TemplateValue } from '../../sql/template.ts'
import { textOf } from './shapes.ts'

const letters: Readonly<Record<number, string>> = { 2: 'i', 8: 'm', 16: 's' }

export function regexModule(): TemplateValue {
  const text = (value: unknown) => textOf(value) ?? ''
  const finds =
    (shape: (pattern: string) => string): TemplateFunction =>
    ([pattern, subject, flags], named) =>
      matchOf(expression(shape(text(pattern)), flags ?? named['flags']).exec(text(subject)))
  const all: TemplateFunction = ([pattern, subject, flags], named) =>
    [...text(subject).matchAll(expression(text(pattern), flags ?? named['flags']))].map(found => {
      const [whole, ...groups] = found.map(one => one ?? '')
      return groups.length > 1 ? groups : (groups[0] ?? whole ?? '')
    })
  const sub: TemplateFunction = ([pattern, by, subject, count, flags], named) => {
    const most = Number(text(count ?? named['count'] ?? 0)) || Infinity
    let seen = 0
    return text(subject).replace(expression(text(pattern), flags ?? named['flags']), (...found: unknown[]) => {
      if (seen++ >= most) return text(found[0])
      const groups = found.at(-1)
      const named = typeof groups === 'object' && groups !== null ? (groups as Record<string, unknown>) : {}
      return text(by).replace(/\\(?:(\d)|g<(\w+)>)/g, (_, digit?: string, name?: string) =>
        text(/^\d+$/.test(digit ?? name ?? '') ? found[Number(digit ?? name)] : named[name ?? '']),
      )
    })
  }
  const split: TemplateFunction = ([pattern, subject], named) =>
    text(subject).split(expression(text(pattern), named['flags']))
  return strict('modules.re', {
    match: finds(pattern => `^(?:${pattern})`),
    search: finds(pattern => pattern),
    fullmatch: finds(pattern => `^(?:${pattern})$`),
    findall: all,
    sub,
    split,
    escape: ([given]) => text(given).replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
    IGNORECASE: 2,
    I: 2,
    MULTILINE: 8,
    M: 8,
    DOTALL: 16,
    S: 16,
  })
}

/** Throws TRANSFORM_INVALID for what JavaScript does not read. */
function expression(pattern: string, flags: unknown): RegExp {
  const inline = /^\(\?([ims]+)\)/.exec(pattern)
  const source = pattern
    .slice(inline?.[0].length ?? 0)
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
  const more = letters[Number(textOf(flags) ?? 0)] ?? ''
  try {
    return new RegExp(source, `g${[...new Set(`${inline?.[1] ?? ''}${more}`)].join('')}`)
  } catch (error) {
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `The pattern ${pattern} is no regular expression that is understood here.`,
      {
        cause: error,
      },
    )
  }
}

/** None where nothing is found. */
function matchOf(found: RegExpExecArray | null): TemplateValue {
  if (!found) return null
  const group = (key: unknown): TemplateValue =>
    (typeof key === 'string' && !/^\d+$/.test(key) ? found.groups?.[key] : found[Number(textOf(key) ?? 0)]) ?? null
  const start = found.index
  return strict('a match', {
    group: ([key = 0]: readonly unknown[]) => group(key),
    groups: () => found.slice(1).map(one => one ?? null),
    groupdict: () => ({ ...found.groups }),
    start: () => start,
    end: () => start + found[0].length,
  })
}

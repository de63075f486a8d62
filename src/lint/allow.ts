/**
 * Allowances in a file. They stand in a comment above a statement, inside it or at the end of its line, and hold for that statement alone;
 * `allow-file` holds for the whole file.
 *
 *   -- plinth:allow lock-index-nonconcurrent, index-duplicate reason="the table is empty" until=2026-12-31
 *   -- plinth:allow-file name-table reason="written before there was a pattern"
 *
 * One that is written wrongly allows nothing, and neither does one whose day is over.
 */
import { nearest } from '../errors.ts'
import type { Statement } from '../sql/parse.ts'

export interface Allowance {
  readonly rules: readonly string[]
  readonly reason: string | null
  /** The last day on which it holds. */
  readonly until: string | null
  /** The statement that it holds for. */
  readonly scope: number | 'file'
  /** String indexes in the text. */
  readonly start: number
  readonly end: number
  /** Why it allows nothing, one sentence; null for one that is written well. */
  readonly fault: { readonly message: string; readonly hint: string } | null
}

/** In the order of the text. */
export function readAllowances(
  text: string,
  statements: readonly Pick<Statement, 'index' | 'start' | 'end'>[],
  knownRules: readonly string[],
): Allowance[] {
  if (!text.includes('plinth:allow')) return []
  return [...text.matchAll(pattern)].map(match => {
    const start = match.index
    const end = start + match[0].trimEnd().length
    const wishes = readWishes(match[2] ?? '')
    const scope = match[1] ? 'file' : statementOf(text, statements, start)
    return {
      rules: wishes.rules,
      reason: wishes.reason,
      until: wishes.until,
      scope: scope ?? 'file',
      start,
      end,
      fault: scope === null ? noStatement : faultOf(wishes, knownRules),
    }
  })
}

const pattern = /--[ \t]*plinth:[ \t]*allow(-file)?\b(?!-)([^\r\n]*)/g

const noStatement = {
  message: 'No statement follows the allowance.',
  hint: 'Write it above the statement; `-- plinth:allow-file` holds for the whole file.',
}

/** The statement around it, the one that ends on its line, or the next one. */
function statementOf(
  text: string,
  statements: readonly Pick<Statement, 'index' | 'start' | 'end'>[],
  at: number,
): number | null {
  const lineStart = text.lastIndexOf('\n', at) + 1
  const found =
    statements.find(one => one.start <= at && at < one.end) ??
    statements.findLast(one => one.end <= at && one.end > lineStart) ??
    statements.find(one => one.start > at)
  return found?.index ?? null
}

interface Wishes {
  readonly rules: readonly string[]
  readonly reason: string | null
  readonly until: string | null
  /** What could not be read. */
  readonly rest: string
}

function readWishes(words: string): Wishes {
  const reason = /\breason\s*=\s*"([^"]*)"/.exec(words)
  const until = /\buntil\s*=\s*"?([^\s",]*)"?/.exec(words.replace(reason?.[0] ?? '', ' '))
  const others = words.replace(reason?.[0] ?? '', ' ').replace(until?.[0] ?? '', ' ')
  const names = others.split(/[\s,]+/).filter(Boolean)
  return {
    rules: names.filter(name => /^[a-z][a-z0-9-]*$/i.test(name)).map(name => name.toLowerCase()),
    reason: reason?.[1]?.trim() ?? null,
    until: until?.[1] ?? null,
    rest: names.filter(name => !/^[a-z][a-z0-9-]*$/i.test(name)).join(' '),
  }
}

function faultOf({ rules, reason, until, rest }: Wishes, knownRules: readonly string[]): Allowance['fault'] {
  const form = 'Write `-- plinth:allow rule[, rule] reason="…" [until=YYYY-MM-DD]`.'
  if (rest !== '') return { message: 'The allowance cannot be read.', hint: form }
  if (rules.length === 0) return { message: 'The allowance names no rule.', hint: form }
  const unknown = rules.find(rule => !knownRules.includes(rule))
  if (unknown !== undefined) {
    const guess = nearest(unknown, knownRules)
    return {
      message: `The allowance names a rule "${unknown}", which does not exist.`,
      hint: guess ? `Did you mean "${guess}"?` : '`plinth lint --rules` lists the rules.',
    }
  }
  if (!reason) return { message: `The allowance of ${rules.join(', ')} gives no reason.`, hint: 'Add reason="…".' }
  if (until !== null && !isDay(until))
    return { message: 'The allowance ends on a day that does not exist.', hint: 'Write until=YYYY-MM-DD.' }
  return null
}

function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

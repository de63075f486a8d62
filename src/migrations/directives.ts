/**
 * What the head of a migration file asks for: `-- plinth: key=value …` lines above its first statement. Each file, up or down, speaks for
 * itself. A word that is not known is refused, since a misspelt wish would be left out without a word.
 *
 *   -- plinth: lock-timeout=2s retries=3 risk=low
 *   -- plinth: batch=1000 pause=50ms reason="fills the new column"
 *
 * `-- plinth:allow …` belongs to lint and is passed over.
 */
import { type Code, nearest, PlinthError } from '../errors.ts'

export interface Directives {
  /**
   * `auto`: one transaction, unless the file has something that cannot run in one. `statement`: each statement in a transaction of its own.
   * `none`: as `statement`, and `call` and `do` run outside any transaction, so that they may commit by themselves; those must be able to run twice.
   */
  readonly transaction: 'auto' | 'statement' | 'none'
  /** It is the file's layout that asks for `none`, which holds for the tool that the layout is of. */
  readonly laidOut?: true
  /** Null leaves it to the configuration; 0 waits for ever. */
  readonly lockTimeoutMs: number | null
  /** Null leaves it to the configuration; 0 sets no limit. */
  readonly statementTimeoutMs: number | null
  /** How often a step that did not get its lock is tried again; null leaves it to the configuration. */
  readonly retries: number | null
  /** Rows of one batch: the file's updates, deletes and inserts from a select run in batches. Null runs them whole. */
  readonly batch: number | null
  /** Between two batches; null means none. */
  readonly pauseMs: number | null
  /** While more sessions than that work on the server, batches wait; null means the default of backfills, 0 no ceiling. */
  readonly maxActive: number | null
  /** While a replica is further behind than that, batches wait; null means the default of backfills, 0 no ceiling. */
  readonly maxLagMs: number | null
  /** What happens to rows that were written between a step and its opposite; null leaves it to the configuration. */
  readonly policy: 'keep' | 'default' | 'fail' | null
  /**
   * How dropped columns come back: `together` with the step, in its transaction, or in `batches` behind it. Null leaves it to the size of the table.
   */
  readonly restore: 'together' | 'batches' | null
  /**
   * Columns and sequences whose values stand elsewhere as well: what the file takes of them is not kept, and its opposite brings it back by its
   * own words.
   */
  readonly redundant: readonly string[]
  /** Of a repeatable: `always` runs it behind every apply. Null runs it when it changed. */
  readonly repeat: 'changed' | 'always' | null
  /** What its author thinks of it, for people and approval. */
  readonly risk: 'low' | 'medium' | 'high' | null
  readonly reason: string | null
}

export const noDirectives: Directives = {
  transaction: 'auto',
  lockTimeoutMs: null,
  statementTimeoutMs: null,
  retries: null,
  batch: null,
  pauseMs: null,
  maxActive: null,
  maxLagMs: null,
  policy: null,
  restore: null,
  redundant: [],
  repeat: null,
  risk: null,
  reason: null,
}

/** Pure. Throws DIRECTIVE_UNKNOWN and DIRECTIVE_INVALID with file, line and column. */
export function readDirectives(text: string, file?: string): Directives {
  if (!text.includes('--')) return noDirectives
  const found = new Map<keyof Directives, Directives[keyof Directives]>()
  const head = headLength(text)
  let start = 0
  for (const [number, row] of text.split('\n').entries()) {
    const at = { text, file, line: number + 1 }
    if (start < head) for (const wish of wishesOf(row, at)) take(wish, found, at)
    else refuseLate(row, at)
    start += row.length + 1
  }
  return { ...noDirectives, ...Object.fromEntries(found) }
}

/** What was asked for, as it was written, for plans: `batch=1000, pause=50ms`. Empty when nothing was. */
export function describeDirectives(directives: Directives): string {
  return Object.entries(keys)
    .flatMap(([key, { property, unit }]) => {
      const value = directives[property]
      if (value === noDirectives[property] || key === 'reason') return []
      return [`${key}=${unit === 'ms' ? spellDuration(Number(value)) : String(value)}`]
    })
    .join(', ')
}

interface Where {
  readonly text: string
  readonly file: string | undefined
  readonly line: number
}

interface Wish {
  readonly key: string
  readonly value: string
  readonly column: number
}

interface Key {
  readonly property: keyof Directives
  /** What may stand behind the sign, for people. */
  readonly takes: string
  readonly unit?: 'ms'
  /** Undefined refuses the value. */
  read(value: string): string | number | readonly string[] | undefined
}

const choice = (...values: readonly string[]) => ({
  takes: values.join(', '),
  read: (value: string) => (values.includes(value) ? value : undefined),
})

const whole = (from: number) => ({
  takes: `a whole number from ${from} up`,
  read: (value: string) => (/^\d{1,9}$/.test(value) && Number(value) >= from ? Number(value) : undefined),
})

const duration = { takes: 'a time such as 500ms, 2s, 5min or 1h', unit: 'ms', read: readDuration } as const

const keys: Readonly<Record<string, Key>> = {
  transaction: { property: 'transaction', ...choice('auto', 'statement', 'none') },
  'lock-timeout': { property: 'lockTimeoutMs', ...duration },
  'statement-timeout': { property: 'statementTimeoutMs', ...duration },
  retries: { property: 'retries', ...whole(0) },
  batch: { property: 'batch', ...whole(1) },
  pause: { property: 'pauseMs', ...duration },
  'max-active': { property: 'maxActive', ...whole(0) },
  'max-lag': { property: 'maxLagMs', ...duration },
  policy: { property: 'policy', ...choice('keep', 'default', 'fail') },
  restore: { property: 'restore', ...choice('together', 'batches') },
  redundant: { property: 'redundant', takes: 'names with a comma between, in double quotes', read: readNames },
  repeat: { property: 'repeat', ...choice('changed', 'always') },
  risk: { property: 'risk', ...choice('low', 'medium', 'high') },
  reason: { property: 'reason', takes: 'a text in double quotes', read: value => value || undefined },
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, m: 60_000, h: 3_600_000 }

function readNames(value: string): readonly string[] | undefined {
  const names = value.split(',').map(name => name.trim())
  return names.every(name => name !== '') ? names : undefined
}

function readDuration(value: string): number | undefined {
  if (value === '0') return 0
  const match = /^(\d{1,7})(ms|s|min|m|h)$/.exec(value)
  const total = match ? Number(match[1]) * (units[match[2] ?? ''] ?? 0) : Number.NaN
  // PostgreSQL takes timeouts up to the largest int4.
  return total <= 2_147_483_647 ? total : undefined
}

function spellDuration(durationMs: number): string {
  const unit =
    (['h', 'min', 's'] as const).find(name => durationMs > 0 && durationMs % (units[name] ?? 1) === 0) ?? 'ms'
  return durationMs === 0 ? '0' : `${durationMs / (units[unit] ?? 1)}${unit}`
}

/** Where the first statement begins: behind white space and comments. */
function headLength(text: string): number {
  return /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0].length ?? 0
}

function wishesOf(row: string, at: Where): Wish[] {
  const comment = /^\s*--\s*([\w-]+)(\s*:)?(.*)$/.exec(row.trimEnd())
  if (!comment) return []
  const [whole, word = '', colon, rest = ''] = comment
  if (word !== 'plinth') {
    // Prose may say `note: x=1`, so only a near name in front of a known word counts as a slip of the pen.
    const slipped =
      nearest(word, ['plinth']) && colon && new RegExp(`^\\s*(${Object.keys(keys).join('|')})=`).test(rest)
    if (slipped) throw refuse('DIRECTIVE_UNKNOWN', `"-- ${word}:" is no directive.`, 'Did you mean "-- plinth:"?', at)
    return []
  }
  if (!colon && /^\s+[\w-]+=/.test(rest))
    throw refuse('DIRECTIVE_INVALID', 'A directive has a colon behind its first word.', 'Write "-- plinth: …".', at)
  if (!colon || /^\s*allow\b/.test(rest)) return []
  return splitWishes(rest, whole.length - rest.length, at)
}

function splitWishes(rest: string, offset: number, at: Where): Wish[] {
  const wishes: Wish[] = []
  const pattern = /\s*(?:([\w-]+)=(?:"([^"]*)"|([^\s,"]*))(?=[\s,]|$),?)/y
  while (rest.slice(pattern.lastIndex).trim() !== '') {
    const column = offset + pattern.lastIndex + (/^\s*/.exec(rest.slice(pattern.lastIndex))?.[0].length ?? 0) + 1
    const remaining = rest.slice(column - 1 - offset)
    const match = pattern.exec(rest)
    if (!match)
      throw refuse(
        'DIRECTIVE_INVALID',
        `"${/^[^\s=]*/.exec(remaining)?.[0] ?? ''}" is not written as key=value.`,
        `Known are ${Object.keys(keys).join(', ')}; a reason stands in double quotes.`,
        at,
        column,
      )
    wishes.push({ key: match[1] ?? '', value: match[2] ?? match[3] ?? '', column })
  }
  if (wishes.length > 0) return wishes
  throw refuse('DIRECTIVE_INVALID', 'The directive asks for nothing.', 'Write key=value behind the colon.', at)
}

function take({ key, value, column }: Wish, found: Map<keyof Directives, unknown>, at: Where): void {
  const known = Object.hasOwn(keys, key) ? keys[key] : undefined
  if (!known) {
    const guess = nearest(key, Object.keys(keys))
    const hint = guess ? `Did you mean "${guess}"?` : `Known are ${Object.keys(keys).join(', ')}.`
    throw refuse('DIRECTIVE_UNKNOWN', `The directive "${key}" is not known.`, hint, at, column)
  }
  const read = known.read(value)
  if (read === undefined)
    throw refuse('DIRECTIVE_INVALID', `"${key}" cannot be "${value}".`, `It takes ${known.takes}.`, at, column)
  if (found.has(known.property))
    throw refuse('DIRECTIVE_INVALID', `"${key}" is said twice.`, 'Leave one of them.', at, column)
  found.set(known.property, read)
}

/** Behind the first statement it would be read by nobody. */
function refuseLate(row: string, at: Where): void {
  if (/^\s*--\s*plinth:\s*[\w-]+=/.test(row))
    throw refuse('DIRECTIVE_INVALID', 'A directive stands behind the first statement.', 'Move it to the top.', at)
}

function refuse(code: Code, message: string, hint: string, { text, file, line }: Where, column = 1): PlinthError {
  return new PlinthError(code, message, { at: { ...(file ? { file } : {}), line, column, source: text }, hint })
}

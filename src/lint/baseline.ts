/**
 * The baseline: findings that were there when a team began to lint, and that nobody has to mend now. An entry is known by its rule and its
 * object, or by the words of its statement where it is about none, so it survives edits above it and a new name of the file.
 */
import { createHash } from 'node:crypto'
import { PlinthError } from '../errors.ts'
import { type Found, frame } from './found.ts'
import type { LintSource } from './source.ts'

export interface Baseline {
  /** As given, for people. */
  readonly file: string
  readonly text: string
  readonly entries: readonly BaselineEntry[]
}

export interface BaselineEntry {
  readonly rule: string
  readonly object: string | null
  /** Of the statement's words without their spacing; null where an object names it, or the file as a whole is meant. */
  readonly statement: string | null
  /** How many such findings there are. */
  readonly count: number
}

/** Throws CONFIG_INVALID when the text is no baseline. */
export function readBaseline(file: string, text: string): Baseline {
  const refuse = (cause?: unknown) =>
    new PlinthError('CONFIG_INVALID', 'The baseline of lint cannot be read.', {
      at: { file },
      hint: 'Write it again with `plinth lint --all --update-baseline`.',
      cause,
    })
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw refuse(error)
  }
  if (!isDocument(document)) throw refuse()
  return { file, text, entries: document.findings }
}

/** The text of a baseline that holds these findings, whatever already allows them in the file. */
export function writeBaseline(found: readonly Found[], sources: readonly LintSource[]): string {
  const entries = new Map<string, BaselineEntry>()
  for (const one of found) {
    if (one.allowed?.by === 'file' || one.rule === 'baseline-stale') continue
    const key = keyOf(one, sources)
    const known = entries.get(spell(key))
    entries.set(spell(key), { ...key, count: (known?.count ?? 0) + 1 })
  }
  const findings = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, entry]) => entry)
  return `${JSON.stringify({ format: 1, findings }, null, 2)}\n`
}

export interface BaselineScope {
  readonly baseline: Baseline | null
  readonly sources: readonly LintSource[]
  readonly scope: 'every file' | 'some files'
}

/** Marks the findings that the baseline holds, and tells which of its entries nobody needs any more. */
export function applyBaseline(found: readonly Found[], { baseline, sources, scope }: BaselineScope): readonly Found[] {
  if (!baseline) return found
  const left = new Map(baseline.entries.map(entry => [spell(entry), entry.count]))
  const marked = found.map(one => {
    if (one.allowed) return one
    const key = spell(keyOf(one, sources))
    const count = left.get(key) ?? 0
    if (count === 0) return one
    left.set(key, count - 1)
    return { ...one, allowed: { by: 'baseline' as const, reason: null } }
  })
  if (scope === 'some files') return marked
  const stale = baseline.entries.filter(entry => (left.get(spell(entry)) ?? 0) > 0)
  return [...marked, ...stale.map(entry => staleEntry(entry, baseline))]
}

/** What the baseline still has to hold where these findings have used their part of it. */
export function withoutUsed(baseline: Baseline | null, used: readonly Found[]): Baseline | null {
  if (!baseline) return null
  const counts = new Map<string, number>()
  for (const one of used) {
    if (one.allowed?.by !== 'baseline') continue
    const key = spell(keyOf(one, []))
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const entries = baseline.entries.map(entry => ({ ...entry, count: entry.count - (counts.get(spell(entry)) ?? 0) }))
  return { ...baseline, entries: entries.filter(entry => entry.count > 0) }
}

function staleEntry(entry: BaselineEntry, { file, text }: Baseline): Found {
  const source: LintSource = {
    path: file,
    direction: 'up',
    version: null,
    slug: null,
    text,
    opposite: null,
    role: 'judged',
  }
  const found = frame(
    'baseline-stale',
    source,
    { start: 0, end: 0 },
    { message: `${entry.rule} is not found any more${entry.object ? ` on ${entry.object}` : ''}.` },
  )
  return { ...found, direction: null, object: entry.object }
}

type Key = Omit<BaselineEntry, 'count'>

function keyOf(one: Found, sources: readonly LintSource[]): Key {
  if (one.object !== null) return { rule: one.rule, object: one.object, statement: null }
  const source = sources.find(other => other.path === one.file && other.direction === one.direction)
  const words = source && one.statement !== null ? wordsAt(source.text, one) : (source?.slug ?? '')
  return { rule: one.rule, object: null, statement: createHash('sha256').update(words).digest('hex').slice(0, 16) }
}

/** The lines that the finding spans, without spacing. */
function wordsAt(text: string, { line, endLine }: Found): string {
  return text
    .split('\n')
    .slice(line - 1, endLine)
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim()
}

function spell({ rule, object, statement }: Key): string {
  return JSON.stringify([rule, object, statement])
}

function isDocument(value: unknown): value is { readonly findings: readonly BaselineEntry[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'format' in value &&
    value.format === 1 &&
    'findings' in value &&
    Array.isArray(value.findings) &&
    value.findings.every(isEntry)
  )
}

function isEntry(value: unknown): value is BaselineEntry {
  return (
    typeof value === 'object' &&
    value !== null &&
    'rule' in value &&
    typeof value.rule === 'string' &&
    'object' in value &&
    (value.object === null || typeof value.object === 'string') &&
    'statement' in value &&
    (value.statement === null || typeof value.statement === 'string') &&
    'count' in value &&
    typeof value.count === 'number'
  )
}

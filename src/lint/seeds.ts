/**
 * Secrets in seeds, which every database that takes the seed holds and everybody who can read the repository knows. Seeds are no SQL, so the
 * rules on secrets in migrations judge their values and their text here.
 */
import type { ClassOf } from '../schema/classification.ts'
import type { Severity } from '../schema/finding.ts'
import { lineIndex } from '../sql/positions.ts'
import { applyBaseline, type Baseline } from './baseline.ts'
import { severityBy } from './examine.ts'
import { type Found, inOrder } from './found.ts'
import { countOf, type LintReport } from './run.ts'
import { rule as insertedSecret } from './rules/security-inserted-secret.ts'
import { rule as secretLiteral } from './rules/security-secret-literal.ts'
import type { LintSource } from './source.ts'
import { soundsSecret } from './subjects/names.ts'
import { isHarmless, secretsIn } from './subjects/secrets.ts'

export interface SeedText {
  readonly source: LintSource
  /** Texts that the file gives to columns as they stand. */
  readonly values: readonly SeedValue[]
  /** Why the file cannot be read, and where. */
  readonly failure: { readonly message: string; readonly hint: string | null; readonly line: number } | null
}

export interface SeedValue {
  /** Qualified, such as `platform.users`. */
  readonly table: string
  readonly column: string
  readonly value: string
  /** Counted from 1. */
  readonly line: number
  readonly columnNumber: number
}

export interface SeedLint {
  readonly seeds: readonly SeedText[]
  readonly classOf: ClassOf
  readonly severities: ReadonlyMap<string, Severity>
  readonly baseline: Baseline | null
}

export function lintSeeds({ seeds, classOf, severities, baseline }: SeedLint): LintReport {
  const severityOf = severityBy({ rules: [insertedSecret, secretLiteral], severities })
  const sources = seeds.map(seed => seed.source)
  const found = seeds.flatMap(seed => [...unread(seed), ...literals(seed), ...values(seed, classOf)])
  const findings = inOrder(applyBaseline(found, { baseline, sources, scope: 'some files' }), sources).flatMap(one => {
    const severity = severityOf(one.rule)
    return severity === 'off' ? [] : [{ ...one, severity }]
  })
  const rehearsal = { serverVersion: null, reason: null, gaps: [] }
  return { format: 1, findings, counts: countOf(findings), files: seeds.length, rehearsal, unjudged: [] }
}

function* literals({ source }: SeedText): Iterable<Found> {
  const lines = lineIndex(source.text)
  for (const { what, start, end } of secretsIn(source.text)) {
    const from = lines(start)
    const to = lines(end)
    yield {
      ...aboutFile(source, secretLiteral.name),
      message: `The seed holds what looks like ${what}.`,
      hint: 'Revoke it: whoever read the repository knows it.',
      line: from.line,
      column: from.column,
      endLine: to.line,
      endColumn: to.column,
    }
  }
}

function* values({ source, values }: SeedText, classOf: ClassOf): Iterable<Found> {
  for (const { table, column, value, line, columnNumber } of values) {
    if (value === '' || isHarmless(value)) continue
    const protection = classOf(table, column)?.protection ?? 'none'
    const sounds = soundsSecret({ name: column, type: 'text' }) !== null
    if (protection === 'none' && !sounds) continue
    const rest = (source.text.split('\n')[line - 1] ?? '').length
    yield {
      ...aboutFile(source, insertedSecret.name),
      message:
        protection === 'none'
          ? `A value for ${table}.${column} stands in the seed as it is.`
          : `${table}.${column} is classified as ${protection}, and a value for it stands in the seed as it is.`,
      hint: 'Let the seed make the secret, encrypt or hash the value: { secret: … }, { encrypt: … }, { hash: … }.',
      object: `${table}.${column}`,
      line,
      column: columnNumber,
      endLine: line,
      endColumn: Math.max(rest + 1, columnNumber),
    }
  }
}

function unread({ source, failure }: SeedText): Found[] {
  if (!failure) return []
  const { message, line } = failure
  const hint = failure.hint ?? 'Mend the file; `plinth seed` refuses it as well.'
  return [{ ...aboutFile(source, 'syntax'), message, hint, line, column: 1, endLine: line, endColumn: 1 }]
}

function aboutFile({ path }: LintSource, rule: string) {
  return {
    rule,
    file: path,
    version: null,
    direction: null,
    statement: null,
    object: null,
    basis: 'text' as const,
    allowed: null,
    fix: null,
  }
}

/** Lint: reads texts, asks for their rehearsal, lets every rule judge, and answers the findings in the order of the files. */
import type { ClassOf } from '../schema/classification.ts'
import type { Finding, Severity } from '../schema/finding.ts'
import { openParser } from '../sql/parse.ts'
import { applyBaseline, type Baseline } from './baseline.ts'
import { examiner, severityBy } from './examine.ts'
import { type Found, inOrder } from './found.ts'
import { credible, type Rehearse, rehearsed, withPartitions } from './past.ts'
import { alone, examineParts, partsOf, type Share } from './parts.ts'
import type { Rule, Settings } from './rule.ts'
import { rules as allRules } from './rules/index.ts'
import { type LintSource, type ReadScript, readSources } from './source.ts'
import { type Target, weighOn } from './target.ts'

export interface LintInput {
  /** In the order of applying; those before and between the judged ones as context. */
  readonly sources: readonly LintSource[]
  readonly settings: Settings
  readonly classOf: ClassOf
  /** Where they differ from what the rules say themselves. */
  readonly severities: ReadonlyMap<string, Severity>
  /** `YYYY-MM-DD`, for allowances that end. */
  readonly today: string
  readonly baseline: Baseline | null
  /** Every file there is, is judged, so what the baseline holds beyond the findings is stale. */
  readonly scope: 'every file' | 'some files'
  /** Runs the texts on a scratch database, the last ones step by step; null judges by the text alone. */
  readonly rehearse: Rehearse | null
  /** The database that the steps are meant for; absent where nobody asked it. */
  readonly target?: Target | undefined
  /** How a text is read where its head or its layout has a say in how it runs; default by its statements alone. */
  readonly read?: ReadScript | undefined
  /** `unknown`: what is there before the first file is in nobody's hand, so what is missing in the rehearsal is no fault. */
  readonly past?: 'known' | 'unknown' | undefined
  /** Who examines the texts where they alone are judged; default one hand. */
  readonly share?: Share | undefined
  /** Default all. */
  readonly rules?: readonly Rule[] | undefined
}

export interface LintReport {
  readonly format: 1
  /** By file, then by place; those that are allowed among them. */
  readonly findings: readonly Finding[]
  /** Of those that are not allowed, and of those that are. */
  readonly counts: {
    readonly error: number
    readonly warning: number
    readonly notice: number
    readonly allowed: number
  }
  /** How many texts were judged. */
  readonly files: number
  /** What the rehearsal rests on; `serverVersion` is null when there was none. */
  readonly rehearsal: {
    readonly serverVersion: number | null
    readonly reason: string | null
    readonly gaps: readonly string[]
  }
  /** Rules that need a rehearsal and could not be judged. */
  readonly unjudged: readonly string[]
}

/** A defect of a rule throws; everything that is wrong with the files is a finding. */
export async function lint(input: LintInput): Promise<LintReport> {
  const { target } = input
  const rules = input.rules ?? allRules
  const settings = target ? { ...input.settings, targetRows: target.rows } : input.settings
  const severityOf = severityBy({ rules, severities: input.severities })
  const { found, files, rehearsal, reason, ups } = await examined({ ...input, settings, rules })
  const based = applyBaseline(found, input)
  const asked = rules.filter(rule => severityOf(rule.name) !== 'off')
  const weigh = target ? weighOn(target, settings, files, asked) : (_: Found, usual: Severity) => usual
  const findings = inOrder(based, input.sources)
    .map(one => ({ ...one, severity: weigh(one, severityOf(one.rule)) }))
    .filter((one): one is Finding => one.severity !== 'off')
  return {
    format: 1,
    findings,
    counts: countOf(findings),
    files: input.sources.filter(source => source.role === 'judged').length,
    rehearsal: { serverVersion: rehearsal?.serverVersion ?? null, reason, gaps: rehearsal?.gaps ?? [] },
    unjudged: rehearsal || ups === 'none' ? [] : needingRehearsal(asked),
  }
}

type ToExamine = LintInput & { readonly rules: readonly Rule[] }

async function examined(input: ToExamine) {
  const parse = await openParser('postgres')
  const readScript = input.read ?? (({ text, path }) => parse(text, path))
  if (!input.rehearse && !input.target) return examinedByText({ ...input, read: readScript })
  const read = readSources(input.sources, readScript)
  const { rehearsal, reason } = credible(await rehearsed(input.rehearse, read), input.past ?? 'known')
  const { found, files } = examiner({ ...input, classOf: withPartitions(input.classOf, rehearsal), rehearsal })(read)
  const ups = files.some(one => one.source.direction === 'up') ? ('some' as const) : ('none' as const)
  return { found, files, rehearsal, reason, ups }
}

async function examinedByText(input: ToExamine & { readonly read: ReadScript }) {
  const { rules, severities, settings, classOf, today, read } = input
  const parts = partsOf(input.sources)
  const hands = await (input.share ?? alone)(parts, team =>
    examineParts(parts, { rules, severities, settings, classOf, today, read }, team),
  )
  return {
    found: hands.flatMap(hand => hand.found),
    files: [],
    rehearsal: null,
    reason: null,
    ups: hands.some(hand => hand.ups === 'some') ? ('some' as const) : ('none' as const),
  }
}

function needingRehearsal(rules: readonly Rule[]): string[] {
  return rules
    .filter(rule => rule.shape === 'schema' || rule.needs === 'rehearsal')
    .map(rule => rule.name)
    .sort()
}

export function countOf(findings: readonly Finding[]): LintReport['counts'] {
  const open = findings.filter(one => one.allowed === null)
  const of = (severity: Severity) => open.filter(one => one.severity === severity).length
  return {
    error: of('error'),
    warning: of('warning'),
    notice: of('notice'),
    allowed: findings.length - open.length,
  }
}

/** Lint: reads texts, asks for their rehearsal, lets every rule judge, and answers the findings in the order of the files. */
import type { ClassOf } from '../schema/classification.ts'
import type { Finding, Severity } from '../schema/finding.ts'
import { openParser } from '../sql/parse.ts'
import { applyAllowances } from './allowed.ts'
import { applyBaseline, type Baseline } from './baseline.ts'
import { failedSteps, type Found, findingOf, inOrder, unparsed, withoutDoubled, withoutExplained } from './found.ts'
import { frameRules } from './frame-rules.ts'
import { judge } from './judge.ts'
import { credible, type Rehearse, rehearsed, withPartitions } from './past.ts'
import type { Rule, Settings } from './rule.ts'
import { rules as allRules } from './rules/index.ts'
import { type LintSource, type ReadScript, type ReadSource, readSources } from './source.ts'
import { type Target, weighOn } from './target.ts'
import { viewFiles } from './view.ts'

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
  const parse = await openParser('postgres')
  return lintRead(input, readSources(input.sources, input.read ?? (({ text, path }) => parse(text, path))))
}

async function lintRead(input: LintInput, read: readonly ReadSource[]): Promise<LintReport> {
  const { severities, target } = input
  const settings = target ? { ...input.settings, targetRows: target.rows } : input.settings
  const severityOf = (name: string) => severities.get(name) ?? usual.get(name) ?? 'warning'
  const every = input.rules ?? allRules
  const usual = new Map<string, Severity>([...every, ...frameRules].map(({ name, severity }) => [name, severity]))
  const rules = every.filter(rule => severityOf(rule.name) !== 'off')
  const { rehearsal, reason } = credible(await rehearsed(input.rehearse, read), input.past ?? 'known')
  const classOf = withPartitions(input.classOf, rehearsal)
  const files = viewFiles(read, { settings, classOf, rehearsal })
  const said = [...judge({ rules, files, rehearsal, settings, classOf }), ...failedSteps(files)]
  const found = [...unparsed(read), ...withoutDoubled(withoutExplained(said), rules).map(one => findingOf(one))].filter(
    one => severityOf(one.rule) !== 'off',
  )
  const knownRules = [...usual.keys()]
  const allowed = applyAllowances(found, files, { knownRules, rules, today: input.today })
  const based = applyBaseline(allowed, input)
  const weigh = target ? weighOn(target, settings, files, rules) : (_: Found, usual: Severity) => usual
  const findings = inOrder(based, input.sources)
    .map(one => ({ ...one, severity: weigh(one, severityOf(one.rule)) }))
    .filter((one): one is Finding => one.severity !== 'off')
  return {
    format: 1,
    findings,
    counts: countOf(findings),
    files: input.sources.filter(source => source.role === 'judged').length,
    rehearsal: { serverVersion: rehearsal?.serverVersion ?? null, reason, gaps: rehearsal?.gaps ?? [] },
    unjudged: rehearsal || !files.some(one => one.source.direction === 'up') ? [] : needingRehearsal(rules),
  }
}

function needingRehearsal(rules: readonly Rule[]): string[] {
  return rules
    .filter(rule => rule.shape === 'schema' || rule.needs === 'rehearsal')
    .map(rule => rule.name)
    .sort()
}

function countOf(findings: readonly Finding[]): LintReport['counts'] {
  const open = findings.filter(one => one.allowed === null)
  const of = (severity: Severity) => open.filter(one => one.severity === severity).length
  return {
    error: of('error'),
    warning: of('warning'),
    notice: of('notice'),
    allowed: findings.length - open.length,
  }
}

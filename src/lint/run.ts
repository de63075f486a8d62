/** Lint: reads texts, asks for their rehearsal, lets every rule judge, and answers the findings in the order of the files. */
import type { ClassOf } from '../schema/classification.ts'
import type { Finding, Severity } from '../schema/finding.ts'
import type { Rehearsal } from '../schema/rehearsal.ts'
import { lineIndex } from '../sql/positions.ts'
import { openParser } from '../sql/parse.ts'
import { applyAllowances } from './allowed.ts'
import { applyBaseline, type Baseline } from './baseline.ts'
import { type FrameName, frameRules } from './frame-rules.ts'
import { judge, type Said } from './judge.ts'
import type { Rule, Settings } from './rule.ts'
import { rules as allRules } from './rules/index.ts'
import { type LintSource, type ReadScript, type ReadSource, readSources } from './source.ts'
import { type Target, weighOn } from './target.ts'
import { type ViewedFile, viewFiles } from './view.ts'

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

/** Ups only, in order; `history` was applied before. It answers no rehearsal, with the reason, where none is to be had. */
export type Rehearse = (steps: {
  readonly history: readonly LintSource[]
  readonly pending: readonly LintSource[]
}) => Promise<Rehearsed>

export interface Rehearsed {
  readonly rehearsal: Rehearsal | null
  /** Why there is none, one sentence. */
  readonly reason: string | null
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
  const { severities, classOf, target } = input
  const settings = target ? { ...input.settings, targetRows: target.rows } : input.settings
  const severityOf = (name: string) => severities.get(name) ?? usual.get(name) ?? 'warning'
  const every = input.rules ?? allRules
  const usual = new Map<string, Severity>([...every, ...frameRules].map(({ name, severity }) => [name, severity]))
  const rules = every.filter(rule => severityOf(rule.name) !== 'off')
  const { rehearsal, reason } = credible(await rehearsed(input, read), input.past)
  const files = viewFiles(read, { settings, classOf, rehearsal })
  const said = [...judge({ rules, files, rehearsal, settings, classOf }), ...failedSteps(files)]
  const found = [...unparsed(read), ...withoutDoubled(withoutExplained(said), rules).map(one => findingOf(one))].filter(
    one => severityOf(one.rule) !== 'off',
  )
  const knownRules = [...usual.keys()]
  const allowed = applyAllowances(found, files, { knownRules, rules, today: input.today, frame })
  const based = applyBaseline(allowed, input, frame)
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

/** What stands behind a text that cannot be parsed may need what it would have made, so the rehearsal ends before it. */
async function rehearsed({ rehearse, sources }: LintInput, read: readonly ReadSource[]): Promise<Rehearsed> {
  const ups = read.filter(one => one.source.direction === 'up')
  const first = ups.findIndex(one => one.source.role === 'judged')
  if (!rehearse || first === -1) return { rehearsal: null, reason: null }
  const last = ups.findLastIndex(one => one.source.role === 'judged')
  const tail = ups.slice(first, last + 1)
  const broken = tail.findIndex(one => one.failure !== null)
  const pending = broken === -1 ? tail : tail.slice(0, broken)
  if (pending.length === 0)
    return { rehearsal: null, reason: sources.length > 1 ? 'The first of the files cannot be parsed.' : null }
  return rehearse({ history: ups.slice(0, first).map(sourceOf), pending: pending.map(sourceOf) })
}

function sourceOf({ source }: ReadSource): LintSource {
  return source
}

/** A finding whose severity is not asked yet. */
export type Found = Omit<Finding, 'severity'>

function findingOf({ rule, problem, hint, file, statement, basis }: Said): Found {
  const own = statement === null ? undefined : file.script.statements[statement]
  const { start, end } = problem.range ?? own ?? { start: 0, end: 0 }
  return {
    rule,
    message: problem.message,
    hint: problem.hint ?? hint,
    ...placeOf(file.source, start, end),
    statement,
    object: problem.object ?? null,
    basis,
    allowed: null,
    fix: problem.fix ?? null,
  }
}

function placeOf(source: LintSource, start: number, end: number) {
  const lines = lineIndex(source.text)
  const from = lines(start)
  const to = lines(Math.max(start, end))
  return {
    file: source.path,
    line: from.line,
    column: from.column,
    endLine: to.line,
    endColumn: to.column,
    version: source.version,
    direction: source.direction,
  }
}

/** A finding of the frame at a place in a text. */
function frame(
  rule: FrameName,
  source: LintSource,
  range: { readonly start: number; readonly end: number },
  words: { readonly message: string; readonly hint?: string | undefined; readonly statement?: number | null },
): Found {
  return {
    rule,
    message: words.message,
    hint: words.hint ?? frameRules.find(one => one.name === rule)?.instead ?? '',
    ...placeOf(source, range.start, range.end),
    statement: words.statement ?? null,
    object: null,
    basis: 'text',
    allowed: null,
    fix: null,
  }
}

export type Frame = typeof frame

function unparsed(read: readonly ReadSource[]): Found[] {
  return read.flatMap(({ source, failure }) => {
    if (source.role !== 'judged' || !failure) return []
    const { line = 1, column = 1 } = failure.at ?? {}
    const found = frame('syntax', source, { start: 0, end: 0 }, { message: failure.message, hint: failure.hint })
    return [{ ...found, line, column, endLine: line, endColumn: column }]
  })
}

/** What a text without a past lacks says nothing about the text, and neither does what ran until there. */
function credible(rehearsed: Rehearsed, past: LintInput['past']): Rehearsed {
  const lacking = rehearsed.rehearsal?.steps.some(({ failure }) => missing.has(failure?.sqlState ?? ''))
  if (past !== 'unknown' || !lacking) return rehearsed
  return { rehearsal: null, reason: 'It needs what was there before, of which nothing is known.' }
}

/** Behind a step that failed, another may only miss what that one would have made. */
function failedSteps(files: readonly ViewedFile[]): Said[] {
  return files
    .filter(file => file.step?.failure)
    .filter((file, at) => at === 0 || !missing.has(file.step?.failure?.sqlState ?? ''))
    .flatMap(failedStep)
}

/** Undefined schema, object, function, table and column. */
const missing: ReadonlySet<string> = new Set(['3F000', '42704', '42883', '42P01', '42703'])

function failedStep(file: ViewedFile): Said[] {
  const failure = file.step?.failure
  if (!failure) return []
  const { statement, sqlState, message, hint, line, column } = failure
  const starts = file.source.text.split('\n').slice(0, line - 1)
  const start = starts.reduce((sum, one) => sum + one.length + 1, 0) + column - 1
  return [
    {
      rule: 'rehearsal-failed',
      problem: {
        message: `The database refuses it${sqlState ? ` (SQLSTATE ${sqlState})` : ''}: ${message}`,
        range: { start, end: lineEnd(file.source.text, start) },
      },
      hint: hint ?? frameRules[1].instead,
      file,
      statement,
      basis: 'rehearsal',
    },
  ]
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end
}

/** A rule that says why the server refused a statement says it better than the server. */
function withoutExplained(said: readonly Said[]): Said[] {
  return said.filter(
    one =>
      one.rule !== 'rehearsal-failed' ||
      !said.some(
        other => other.problem.explainsFailure && other.file === one.file && other.statement === one.statement,
      ),
  )
}

/** A general rule leaves a statement to the one that knows what it is. */
function withoutDoubled(said: readonly Said[], rules: readonly Rule[]): Said[] {
  const general = new Set(rules.flatMap(rule => (rule.shape === 'statement' && rule.lastResort ? [rule.name] : [])))
  const special = new Set(
    rules.flatMap(({ name, category }) => (/^(locks|rewrites)$/.test(category) && !general.has(name) ? [name] : [])),
  )
  return said.filter(
    one =>
      !general.has(one.rule) ||
      !said.some(other => special.has(other.rule) && other.file === one.file && other.statement === one.statement),
  )
}

function needingRehearsal(rules: readonly Rule[]): string[] {
  return rules
    .filter(rule => rule.shape === 'schema' || rule.needs === 'rehearsal')
    .map(rule => rule.name)
    .sort()
}

/** By the order of the files, then by place, then by rule; the same thing is said once. */
function inOrder(found: readonly Found[], sources: readonly LintSource[]): Found[] {
  const order = new Map(sources.map(({ path, direction }, at) => [`${path}\0${direction}`, at]))
  const key = (one: Found) => order.get(`${one.file}\0${one.direction}`) ?? sources.length
  const seen = new Set<string>()
  return found
    .filter(one => {
      const said = JSON.stringify([one.rule, key(one), one.line, one.column, one.object, one.message])
      if (seen.has(said)) return false
      seen.add(said)
      return true
    })
    .sort(
      (a, b) =>
        key(a) - key(b) ||
        a.line - b.line ||
        a.column - b.column ||
        compare(a.rule, b.rule) ||
        compare(a.object ?? '', b.object ?? '') ||
        compare(a.message, b.message),
    )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
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

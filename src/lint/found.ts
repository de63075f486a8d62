/** Findings before anybody asks how grave they are: where they are, what they say, and which of them say it twice. */
import type { Finding } from '../schema/finding.ts'
import type { Statement } from '../sql/parse.ts'
import { lineIndex } from '../sql/positions.ts'
import { type FrameName, frameRules } from './frame-rules.ts'
import type { Said } from './judge.ts'
import { isMissing } from './past.ts'
import { statementBehind } from './rewrite.ts'
import type { Problem, Rule } from './rule.ts'
import type { LintSource, ReadSource } from './source.ts'
import type { ViewedFile } from './view.ts'

/** A finding whose severity is not asked yet. */
export type Found = Omit<Finding, 'severity'>

export function findingOf({ rule, problem, hint, file, statement, basis }: Said): Found {
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
    fix: problem.fix ?? added(problem, own, file),
  }
}

function added({ addition }: Problem, own: Statement | undefined, { script, view }: ViewedFile): Finding['fix'] {
  if (!addition || !own || script.text !== script.body) return null
  const { title, statement, table } = addition
  if (own.kind !== 'CreateStmt' && !view.text.madeHere(table, own.index)) return null
  return { title, edits: [statementBehind(script, own, statement)] }
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
export function frame(
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

/** What is wrong with a text that cannot be read. */
export function unparsed(read: readonly ReadSource[]): Found[] {
  return read.flatMap(one => {
    const { source } = one
    // Context is not parsed to learn whether it could be.
    const failure = source.role === 'judged' ? one.failure : null
    if (!failure) return []
    const { line = 1, column = 1 } = failure.at ?? {}
    const found = frame('syntax', source, { start: 0, end: 0 }, { message: failure.message, hint: failure.hint })
    return [{ ...found, line, column, endLine: line, endColumn: column }]
  })
}

/** Behind a step that failed, another may only miss what that one would have made. */
export function failedSteps(files: readonly ViewedFile[]): Said[] {
  return files
    .filter(file => file.step?.failure)
    .filter((file, at) => at === 0 || !isMissing(file.step?.failure))
    .flatMap(failedStep)
}

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
export function withoutExplained(said: readonly Said[]): Said[] {
  return said.filter(
    one =>
      one.rule !== 'rehearsal-failed' ||
      !said.some(
        other => other.problem.explainsFailure && other.file === one.file && other.statement === one.statement,
      ),
  )
}

/** A general rule leaves a statement to the one that knows what it is. */
export function undoubledBy(rules: readonly Rule[]): (said: readonly Said[]) => Said[] {
  const general = new Set(rules.flatMap(rule => (rule.shape === 'statement' && rule.lastResort ? [rule.name] : [])))
  const special = new Set(
    rules.flatMap(({ name, category }) => (/^(locks|rewrites)$/.test(category) && !general.has(name) ? [name] : [])),
  )
  return said =>
    said.filter(
      one =>
        !general.has(one.rule) ||
        !said.some(other => special.has(other.rule) && other.file === one.file && other.statement === one.statement),
    )
}

/** By the order of the files, then by place, then by rule; the same thing is said once. */
export function inOrder(found: readonly Found[], sources: readonly LintSource[]): Found[] {
  const order = new Map(sources.map(({ path, direction }, at) => [`${path}\0${direction}`, at]))
  // What is found in one file comes together.
  let last: { readonly file: string | null; readonly direction: string | null; readonly at: number } | undefined
  const placed = found.map(one => {
    const { file, direction } = one
    if (file !== last?.file || direction !== last?.direction)
      last = { file, direction, at: order.get(`${file}\0${direction}`) ?? sources.length }
    return { one, at: last.at }
  })
  return placed
    .sort(byPlace)
    .filter((one, at) => {
      const before = placed[at - 1]
      return !before || byPlace(before, one) !== 0
    })
    .map(({ one }) => one)
}

interface Placed {
  readonly one: Found
  readonly at: number
}

/** 0 for what says the same of the same place. */
function byPlace({ one: a, at: first }: Placed, { one: b, at: second }: Placed): number {
  return (
    first - second ||
    a.line - b.line ||
    a.column - b.column ||
    compare(a.rule, b.rule) ||
    compare(a.object ?? '', b.object ?? '') ||
    compare(a.message, b.message)
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

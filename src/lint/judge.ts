/** Asks every rule about every file, and answers what they said with its place. Pure. */
import type { ClassOf } from '../schema/classification.ts'
import type { Rehearsal, RehearsedStep } from '../schema/rehearsal.ts'
import { marksOf } from './alter.ts'
import { attribute } from './attribute.ts'
import type { FileRule, Problem, Rule, SchemaRule, Settings, StatementRule, StatementView } from './rule.ts'
import type { ViewedFile } from './view.ts'

/** What a rule said, before anybody asked how grave it is or whether it is allowed. */
export interface Said {
  readonly rule: string
  readonly problem: Problem
  /** The sentence to follow where the problem has none of its own. */
  readonly hint: string
  readonly file: ViewedFile
  readonly statement: number | null
  readonly basis: 'rehearsal' | 'text'
}

export interface Judged {
  readonly files: readonly ViewedFile[]
  readonly rehearsal: Rehearsal | null
  readonly settings: Settings
  readonly classOf: ClassOf
}

export function judgeBy(rules: readonly Rule[]): (input: Judged) => Said[] {
  const schemaRules = rules.filter(rule => rule.shape === 'schema')
  const ask = statementAsker(rules.filter(rule => rule.shape === 'statement'))
  const fileRules = rules.filter(rule => rule.shape === 'file')
  return input => {
    const said: Said[] = []
    for (const file of input.files) {
      said.push(...ask(file))
      for (const rule of fileRules) said.push(...askFile(rule, file))
    }
    return [...said, ...judgeSchema(schemaRules, input)]
  }
}

/** Which rules look at a statement is decided by what it is and its direction, so that most rules are not even called. */
function statementAsker(rules: readonly StatementRule[]): (file: ViewedFile) => Said[] {
  const known = new Map<string, readonly StatementRule[]>()
  const rulesFor = ({ statement: { kind }, fields }: StatementView, file: ViewedFile, rehearsed: boolean) => {
    const marks = kind === 'AlterTableStmt' && !file.step ? marksOf(fields) : null
    const key = `${kind} ${file.source.direction} ${rehearsed} ${marks ? [...marks].join(' ') : ''}`
    const asked = known.get(key)
    if (asked) return asked
    const every = kind === 'DoStmt' && rehearsed
    const chosen = rules.filter(
      rule =>
        looksAt(rule, file) &&
        (rehearsed || rule.needs !== 'rehearsal') &&
        (every || (kindsOf(rule, rehearsed)?.includes(kind) ?? true)) &&
        (marks === null || (rule.alters?.some(mark => marks.has(mark)) ?? true)),
    )
    known.set(key, chosen)
    return chosen
  }
  return file => {
    const said: Said[] = []
    const seen = new Set(file.step?.statements.map(one => one.index))
    for (const view of file.view.statements) {
      const { index } = view.statement
      for (const rule of rulesFor(view, file, seen.has(index))) {
        file.witnessed()
        const problems = listed(rule.check(view))
        if (problems) say(rule, problems, { file, statementOf: () => index, said })
      }
    }
    return said
  }
}

function kindsOf({ kinds, textKinds }: StatementRule, rehearsed: boolean): readonly string[] | undefined {
  return rehearsed ? kinds : (textKinds ?? kinds)
}

function askFile(rule: FileRule, file: ViewedFile): readonly Said[] {
  if ((rule.needs === 'rehearsal' && !file.step) || !looksAt(rule, file)) return none
  file.witnessed()
  const problems = listed(rule.check(file.view))
  if (!problems) return none
  const said: Said[] = []
  say(rule, problems, { file, statementOf: problem => statementAt(file, problem), said })
  return said
}

const none: readonly Said[] = []

/** Null where a rule has nothing to say, which is what nearly all of hundreds of thousands of calls answer. */
function listed(problems: Iterable<Problem> | undefined): readonly Problem[] | null {
  let list: Problem[] | null = null
  if (problems) for (const problem of problems) (list ??= []).push(problem)
  return list
}

interface Saying {
  readonly file: ViewedFile
  readonly statementOf: (problem: Problem) => number | null
  readonly said: Said[]
}

function say(rule: Rule, problems: readonly Problem[], { file, statementOf, said }: Saying): void {
  const basis = file.witnessed() ? 'rehearsal' : 'text'
  const hint = hintOf(rule)
  for (const problem of problems)
    said.push({ rule: rule.name, problem, hint, file, statement: statementOf(problem), basis })
}

function looksAt(rule: Rule, { source }: ViewedFile): boolean {
  return (rule.directions ?? ['up']).includes(source.direction)
}

function statementAt({ script }: ViewedFile, { range }: Problem): number | null {
  const within = range && script.statements.find(one => one.start <= range.start && range.start < one.end)
  return within?.index ?? null
}

/** What is wrong behind the last step that ran whole, and was not wrong before the first one. */
function judgeSchema(rules: readonly SchemaRule[], { rehearsal, files, settings, classOf }: Judged): Said[] {
  if (!rehearsal || rules.length === 0) return []
  const whole = rehearsal.steps.filter(step => step.failure === null)
  const { before } = rehearsal
  const after = whole.at(-1)?.after ?? before
  const now = renamer(whole)
  return rules.flatMap(rule => {
    const problems = [...rule.check({ schema: after, before, settings, classOf })]
    if (problems.length === 0) return []
    const old = new Set([...rule.check({ schema: before, before, settings, classOf })].map(({ object }) => now(object)))
    return problems.flatMap((problem): Said[] => {
      if (old.has(problem.object)) return []
      const place = attribute(problem.object, rule.category, whole, files)
      if (!place) return []
      const range = problem.range ?? place.range
      return [
        {
          rule: rule.name,
          problem: range ? { ...problem, range } : problem,
          hint: hintOf(rule),
          file: place.file,
          statement: place.statement,
          basis: 'rehearsal',
        },
      ]
    })
  })
}

/** How an object of before is called behind the steps: what was wrong under the old name is not new under another. */
function renamer(steps: readonly RehearsedStep[]): (object: string) => string {
  const renames = steps.flatMap(step =>
    step.statements.flatMap(({ changes }) =>
      changes.flatMap(({ name, newName }) => (newName === undefined ? [] : [{ name, newName }])),
    ),
  )
  return object =>
    renames.reduce(
      (called, { name, newName }) =>
        called === name || called.startsWith(`${name}.`) ? `${newName}${called.slice(name.length)}` : called,
      object,
    )
}

/** The first sentence of what to do instead, without its markup. */
function hintOf(rule: Rule): string {
  const known = hints.get(rule) ?? firstSentence(rule)
  hints.set(rule, known)
  return known
}

const hints = new WeakMap<Rule, string>()

function firstSentence({ instead }: Rule): string {
  const text = instead.trim().split(/\n\s*\n/)[0] ?? ''
  return /^[\s\S]*?\.(?=\s|$)/.exec(text)?.[0].replace(/\s+/g, ' ') ?? text
}

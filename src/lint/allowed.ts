/** Holds the findings against the allowances of their files. */
import { type Allowance, readAllowances } from './allow.ts'
import type { Rule } from './rule.ts'
import { type Found, frame } from './found.ts'
import type { ViewedFile } from './view.ts'

export interface AllowOptions {
  readonly knownRules: readonly string[]
  /** Those that were asked. */
  readonly rules: readonly Rule[]
  readonly today: string
}

/** The findings, with those that are allowed marked, and what is wrong with the allowances themselves. */
export function applyAllowances(
  found: readonly Found[],
  files: readonly ViewedFile[],
  options: AllowOptions,
): readonly Found[] {
  return files.reduce((sofar: readonly Found[], file) => allowIn(sofar, file, options), found)
}

function allowIn(found: readonly Found[], file: ViewedFile, options: AllowOptions): readonly Found[] {
  const allowances = readAllowances(file.source.text, file.script.statements, options.knownRules)
  if (allowances.length === 0) return found
  const used = new Map<Allowance, Set<string>>(allowances.map(one => [one, new Set()]))
  const marked = found.map(one => {
    if (one.file !== file.source.path || one.direction !== file.source.direction) return one
    const meant = allowances.filter(allowance => allowance.fault === null && covers(allowance, one))
    for (const allowance of meant) used.get(allowance)?.add(one.rule)
    const holding = meant.find(allowance => !isOver(allowance, options.today))
    return holding ? { ...one, allowed: { by: 'file' as const, reason: holding.reason } } : one
  })
  return [
    ...marked,
    ...allowances.flatMap(allowance => faultsOf(allowance, used.get(allowance) ?? new Set(), file, options)),
  ]
}

function covers({ rules, scope }: Allowance, found: Found): boolean {
  return rules.includes(found.rule) && (scope === 'file' || scope === found.statement)
}

function isOver({ until }: Allowance, today: string): boolean {
  return until !== null && until < today
}

function faultsOf(
  allowance: Allowance,
  used: ReadonlySet<string>,
  file: ViewedFile,
  { rules, today }: AllowOptions,
): Found[] {
  const statement = allowance.scope === 'file' ? null : allowance.scope
  const say = (rule: 'allow-invalid' | 'allow-expired' | 'allow-unused', message: string, hint?: string) =>
    frame(rule, file.source, allowance, { message, hint, statement })
  if (allowance.fault) return [say('allow-invalid', allowance.fault.message, allowance.fault.hint)]
  if (isOver(allowance, today))
    return [say('allow-expired', `The allowance of ${allowance.rules.join(', ')} ended on ${allowance.until}.`)]
  const asked = new Set(rules.map(rule => rule.name))
  const sure = file.source.direction === 'down' || file.step?.failure === null
  const idle = allowance.rules.filter(rule => sure && asked.has(rule) && !used.has(rule))
  return idle.map(rule => say('allow-unused', `${rule} has nothing to say here, so the allowance is not needed.`))
}

/** From parsed texts to what is wrong with them, before anybody asks how grave it is. */
import type { ClassOf } from '../schema/classification.ts'
import type { Severity } from '../schema/finding.ts'
import type { Rehearsal } from '../schema/rehearsal.ts'
import { applyAllowances } from './allowed.ts'
import { failedSteps, type Found, findingOf, unparsed, withoutDoubled, withoutExplained } from './found.ts'
import { frameRules } from './frame-rules.ts'
import { judge } from './judge.ts'
import type { Rule, Settings } from './rule.ts'
import type { ReadSource } from './source.ts'
import type { Past } from './text-catalog.ts'
import { type ViewedFile, viewFiles } from './view.ts'

export interface Examination {
  readonly rules: readonly Rule[]
  readonly severities: ReadonlyMap<string, Severity>
  readonly settings: Settings
  readonly classOf: ClassOf
  readonly today: string
  readonly rehearsal: Rehearsal | null
  /** What the texts before these did; theirs is added to it. */
  readonly earlier?: Past | undefined
}

export interface Examined {
  readonly found: readonly Found[]
  readonly files: readonly ViewedFile[]
}

export function examine(read: readonly ReadSource[], asked: Examination): Examined {
  const { settings, classOf, rehearsal, today } = asked
  const severityOf = severityBy(asked)
  const rules = asked.rules.filter(rule => severityOf(rule.name) !== 'off')
  const files = viewFiles(read, { settings, classOf, rehearsal }, asked.earlier)
  const said = [...judge({ rules, files, rehearsal, settings, classOf }), ...failedSteps(files)]
  const found = [...unparsed(read), ...withoutDoubled(withoutExplained(said), rules).map(one => findingOf(one))].filter(
    one => severityOf(one.rule) !== 'off',
  )
  const knownRules = [...asked.rules, ...frameRules].map(rule => rule.name)
  return { found: applyAllowances(found, files, { knownRules, rules, today }), files }
}

/** How grave what a rule finds is, unless the place says otherwise. */
export function severityBy({
  rules,
  severities,
}: Pick<Examination, 'rules' | 'severities'>): (rule: string) => Severity {
  const usual = new Map<string, Severity>([...rules, ...frameRules].map(({ name, severity }) => [name, severity]))
  return name => severities.get(name) ?? usual.get(name) ?? 'warning'
}

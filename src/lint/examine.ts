/** From parsed texts to what is wrong with them, before anybody asks how grave it is. */
import type { ClassOf } from '../schema/classification.ts'
import type { Severity } from '../schema/finding.ts'
import type { Rehearsal } from '../schema/rehearsal.ts'
import { applyAllowances } from './allowed.ts'
import { failedSteps, type Found, findingOf, undoubledBy, unparsed, withoutExplained } from './found.ts'
import { frameRules } from './frame-rules.ts'
import { judgeBy } from './judge.ts'
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
}

/** `earlier` is what the texts before these did; theirs is added to it. */
export type Examine = (read: readonly ReadSource[], earlier?: Past) => Examined

export interface Examined {
  readonly found: readonly Found[]
  readonly files: readonly ViewedFile[]
}

/** Texts come in many parts, so what follows from the rules alone is found out once. */
export function examiner(asked: Examination): Examine {
  const { settings, classOf, rehearsal, today } = asked
  const severityOf = severityBy(asked)
  const rules = asked.rules.filter(rule => severityOf(rule.name) !== 'off')
  const judge = judgeBy(rules)
  const withoutDoubled = undoubledBy(rules)
  const knownRules = [...asked.rules, ...frameRules].map(rule => rule.name)
  return (read, earlier) => {
    const files = viewFiles(read, { settings, classOf, rehearsal }, earlier)
    const said = [...judge({ files, rehearsal, settings, classOf }), ...failedSteps(files)]
    const found = [...unparsed(read), ...withoutDoubled(withoutExplained(said)).map(one => findingOf(one))].filter(
      one => severityOf(one.rule) !== 'off',
    )
    return { found: applyAllowances(found, files, { knownRules, rules, today }), files }
  }
}

/** How grave what a rule finds is, unless the place says otherwise. */
export function severityBy({
  rules,
  severities,
}: Pick<Examination, 'rules' | 'severities'>): (rule: string) => Severity {
  const usual = new Map<string, Severity>([...rules, ...frameRules].map(({ name, severity }) => [name, severity]))
  return name => severities.get(name) ?? usual.get(name) ?? 'warning'
}

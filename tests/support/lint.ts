/** Lints texts as a rule's example has them, alone or together with what they did on a server. */
import { inject } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import type { ClassOf } from '../../src/schema/classification.ts'
import type { Rehearsal } from '../../src/schema/rehearsal.ts'
import type { Example, Rule, Settings } from '../../src/lint/rule.ts'
import { type LintReport, lint } from '../../src/lint/run.ts'
import type { LintSource } from '../../src/lint/source.ts'
import { usualSettings } from '../../src/lint/settings.ts'

/** The sources of an example: what was there before, the step, and its down. */
export function sourcesOf({ before, up, down, file = '202601010000_example.up.sql' }: Example): LintSource[] {
  const match = /^(\d+)_(.*)\.up\.sql$/.exec(file)
  const version = match?.[1] ?? '202601010000'
  const slug = match?.[2] ?? file.replace(/\.sql$/, '')
  const step = { version, slug, role: 'judged' as const }
  return [
    ...(before === undefined
      ? []
      : [source('202512010000_before.up.sql', before, { version: '202512010000', slug: 'before' })]),
    source(file, up, { ...step, opposite: down ?? null }),
    ...(down === undefined
      ? []
      : [source(file.replace('.up.sql', '.down.sql'), down, { ...step, direction: 'down' as const, opposite: up })]),
  ]
}

/** Runs it on the test server: what was there before, the step, and its down where it has one. */
export async function rehearseExample(example: Example): Promise<Rehearsal> {
  const sources = sourcesOf(example)
  const scripts = sources.map(({ path, direction, version, text }) => ({
    version: version ?? path,
    direction,
    file: path,
    text,
  }))
  const url = inject('serverUrl')
  const ran = await rehearseScripts({ engine: await engineOf(url), url }, { history: [], pending: scripts })
  // What was there before is a step like the others, so that no database is kept for it.
  const [past] = sources[0]?.role === 'context' ? ran.steps : []
  if (past?.failure) throw new Error(past.failure.message)
  return past ? { ...ran, before: past.after, steps: ran.steps.slice(1) } : ran
}

export function source(path: string, text: string, more: Partial<LintSource> = {}): LintSource {
  return { path, text, direction: 'up', version: null, slug: null, opposite: null, role: 'context', ...more }
}

export async function lintExample(
  example: Example,
  rehearsal: Rehearsal | null,
  rules?: readonly Rule[],
): Promise<LintReport> {
  const { classes } = example
  const settings: Settings = { ...usualSettings, ...(classes ? { classified: true } : {}), ...example.settings }
  const classOf: ClassOf = (table, column) => classes?.[table]?.[column]
  return lint({
    sources: sourcesOf(example),
    settings,
    classOf,
    // A rule that is off until somebody asks for it shall keep its word all the same.
    severities: new Map((rules ?? []).flatMap(rule => (rule.severity === 'off' ? [[rule.name, 'warning']] : []))),
    today: '2026-01-01',
    baseline: null,
    scope: 'some files',
    rehearse: rehearsal ? async () => ({ rehearsal, reason: null }) : null,
    rules,
  })
}

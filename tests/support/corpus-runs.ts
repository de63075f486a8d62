/** Runs a story of the corpus: rehearsed, judged, and really executed on a target with rows. */
import { withSession } from '../../src/engines/brackets.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { type LintReport, lint } from '../../src/lint/run.ts'
import { usualSettings } from '../../src/lint/settings.ts'
import { openRecorder } from '../../src/migrations/rehearse/recorder.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import { runScript } from '../../src/migrations/rehearse/run-script.ts'
import { arrangeScript } from '../../src/migrations/rehearse/script.ts'
import { openSurroundings } from '../../src/migrations/rehearse/surroundings.ts'
import { resetStatements } from '../../src/migrations/session-state.ts'
import { lockStrength, type Rehearsal, type RehearsedStep } from '../../src/schema/rehearsal.ts'
import { openParser } from '../../src/sql/parse.ts'
import type { Label, Story } from './corpus.ts'
import { source } from './lint.ts'

export type Ran = Pick<RehearsedStep, 'statements' | 'failure'>

/** As the product does it: what was there before is a step like the others, so that no database is kept for it. */
export async function rehearseStory(story: Story, url: string): Promise<Rehearsal> {
  const scripts = [{ version: '0', slug: 'before', text: story.before }, ...story.steps].map(one => scriptOf(one))
  const ran = await rehearseScripts({ engine: await engineOf(url), url, kept: 0 }, { history: [], pending: scripts })
  const [past] = ran.steps
  if (!past || past.failure) throw new Error(`What was there before fails: ${past?.failure?.message}`)
  return { ...ran, before: past.after, steps: ran.steps.slice(1) }
}

/** As a target that has rows does it: for good, and without what a rehearsal does to be calm. */
export async function executeStory(story: Story, url: string): Promise<Ran[]> {
  const parse = await openParser('postgres')
  return withSession(await engineOf(url), url, { applicationName: 'corpus' }, async session => {
    await session.script(story.before)
    await session.script(`${story.rows}\n;analyze`)
    const recorder = await openRecorder(session)
    const reset = (await resetStatements(session)).filter(one => !one.startsWith('deallocate'))
    const done: Ran[] = []
    for (const step of story.steps) {
      const { script } = arrangeScript(scriptOf(step), parse)
      if (!script) throw new Error(`${step.version} cannot be read`)
      await recorder.beginStep()
      const stage = { session, recorder, around: openSurroundings('leave'), ending: 'commit' } as const
      const { statements, failure } = await runScript(stage, script, step.version)
      if (failure) recorder.forget()
      await session.script(reset.join(';\n'))
      done.push({ statements, failure })
    }
    return done
  })
}

export function untilRefusedByRows(predicted: readonly Ran[], observed: readonly Ran[]): Ran[] {
  return predicted.map((step, at) => {
    const failure = observed[at]?.failure
    if (!failure || step.failure) return step
    return { statements: step.statements.filter(({ index }) => index < failure.statement), failure }
  })
}

export async function judgeStory(story: Story, rehearsal: Rehearsal | null): Promise<LintReport> {
  const { classes } = story
  const judged = story.steps.map(({ version, slug, text }) =>
    source(`${version}_${slug}.sql`, text, { version, slug, role: 'judged' }),
  )
  return lint({
    sources: [source('202501010000_before.sql', story.before, { version: '202501010000', slug: 'before' }), ...judged],
    settings: { ...usualSettings, classified: Object.keys(classes).length > 0, ...story.settings },
    classOf: (table, column) => classes[table]?.[column],
    severities: new Map(),
    today: '2026-01-01',
    baseline: null,
    scope: 'some files',
    rehearse: rehearsal ? async () => ({ rehearsal, reason: null }) : null,
  })
}

/**
 * Locks that shut somebody out, what was written anew and what failed: all that a rehearsal says before the fact. Where only the rows of a target
 * refuse a statement, which its label says, what was foreseen of the step is compared up to there.
 */
export function foreseen(steps: readonly Ran[]) {
  return steps.map(({ statements, failure }) => ({
    statements: statements.map(({ locks, rewrites, truncates, changes, bare }) => ({
      locks: locks.filter(({ mode }) => shutsOut(mode)),
      rewrites,
      truncates,
      changes,
      bare,
    })),
    failure: failure && { statement: failure.statement, sqlState: failure.sqlState },
  }))
}

/** What a label holds, as it was seen. A finding that no statement stands for belongs to the last label. */
export async function seenLabels(story: Story, steps: readonly Ran[], report: LintReport): Promise<Label[][]> {
  const parse = await openParser('postgres')
  return story.steps.map(({ version, text, labels }, at) => {
    const { statements } = parse(text, version)
    const said = report.findings.filter(
      one => one.version === version && one.severity !== 'notice' && one.rule !== 'rehearsal-failed',
    )
    const { statements: seen = [], failure = null } = steps[at] ?? {}
    return labels.map((label, position): Label => {
      const next = labels[position + 1]?.line ?? Number.POSITIVE_INFINITY
      const within = (line: number) => line > label.line && line < next
      const own = statements.filter(one => within(one.line)).map(one => one.index)
      const mine = seen.filter(one => own.includes(one.index))
      const rules = said.filter(one => (one.statement === null ? next === Infinity : within(one.line)))
      return {
        line: label.line,
        locks: unique(
          mine.flatMap(one =>
            one.locks.flatMap(lock => (isRelation(lock) ? [`${lock.mode} on ${lock.relation}`] : [])),
          ),
        ),
        rewrites: unique(mine.flatMap(one => one.rewrites.filter(name => !isIndex(name, steps)))),
        finds: unique(rules.map(one => one.rule)),
        fails: failure !== null && own.includes(failure.statement),
      }
    })
  })
}

function isRelation({ kind, mode }: RehearsedStep['statements'][number]['locks'][number]): boolean {
  return kind !== 'index' && kind !== 'sequence' && shutsOut(mode)
}

/** Names of indexes are known by their locks: who writes an index anew locks it. */
function isIndex(name: string, steps: readonly Ran[]): boolean {
  return steps.some(({ statements }) =>
    statements.some(({ locks }) => locks.some(({ relation, kind }) => relation === name && kind === 'index')),
  )
}

function shutsOut(mode: Parameters<typeof lockStrength>[0]): boolean {
  return lockStrength(mode) >= lockStrength('ShareUpdateExclusiveLock')
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}

function scriptOf({ version, slug, text }: { readonly version: string; readonly slug: string; readonly text: string }) {
  return { version, direction: 'up' as const, file: `${version}_${slug}.sql`, text }
}

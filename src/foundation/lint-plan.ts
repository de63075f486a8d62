/** Lint on a plan: what apply is told before it takes a lock, and what a plan shows. */
import { resolve } from 'node:path'
import type { Track } from '../config/load.ts'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { compareVersions, type MigrationFolder, versionKey } from '../migrations/migration.ts'
import type { Plan } from '../migrations/plan.ts'
import type { PlanInFull } from '../migrations/track.ts'
import type { Finding } from '../schema/finding.ts'
import type { Desk } from './desk.ts'
import { today } from './lint-day.ts'

/** Refuses a run whose steps have errors; undefined where apply does not lint. */
export function refusal(desk: Desk, track: Track) {
  const { lint } = desk.config
  if (lint.apply === 'off') return undefined
  return async (session: Session, { planned, folder }: PlanInFull): Promise<void> => {
    const findings = await findingsOf(desk, { session, track, plan: planned.plan, folder })
    const open = findings.filter(one => one.allowed === null)
    const errors = open.filter(one => one.severity === 'error')
    const [first] = errors
    if (!first) return
    const message = `${sentence(first)}${errors.length > 1 ? ` And ${errors.length - 1} more ${errors.length === 2 ? 'error' : 'errors'}.` : ''}`
    if (lint.apply === 'report') return desk.emit({ type: 'warning', message, hint: first.hint })
    throw new PlinthError('LINT_REFUSED', message, {
      at: placeOf(first, folder),
      hint: `${first.hint} Or allow it at the statement: -- plinth:allow ${first.rule} reason="…". Files that stay as they are go to the baseline: plinth lint --all --update-baseline`,
      details: { findings: open },
    })
  }
}

export interface PlannedLint {
  readonly session: Session
  readonly track: Track
  readonly plan: Plan
  readonly folder: MigrationFolder
}

/**
 * Upwards only: what a down takes away is its purpose, and an applied up was judged before. A project that says nothing about lint is judged by the
 * text alone, since nobody there asked for a second server (docs/adr/0006-what-apply-refuses.md).
 */
export async function findingsOf(
  desk: Desk,
  { session, track, plan, folder }: PlannedLint,
): Promise<readonly Finding[]> {
  if (plan.direction === 'down' || plan.steps.length === 0 || !session.engine.can.postgresSyntax) return []
  const { lint } = await import('../lint/run.ts')
  const { baselineOf, declarations } = await import('./lint.ts')
  const { folderGroup, withoutIgnored } = await import('./lint-sources.ts')
  const { openReader } = await import('./lint-read.ts')
  const { rehearseOf } = await import('./lint-rehearse.ts')
  const { targetOf } = await import('./lint-target.ts')
  const { config } = desk
  const steps = new Set(plan.steps.map(step => versionKey(step.version)))
  const isStep = (version: string) => steps.has(versionKey(version))
  // What is pending and not meant is not there, so it is nothing to stand on.
  const there = folder.migrations.filter(
    ({ version }) => isStep(version) || (plan.from !== null && compareVersions(version, plan.from) <= 0),
  )
  const group = withoutIgnored(
    folderGroup({ ...folder, migrations: there }, track, one => isStep(one.version)),
    config,
  )
  const report = await lint({
    ...(await declarations(config)),
    sources: group.sources.map(one => (one.direction === 'down' ? { ...one, role: 'context' } : one)),
    today: today(),
    baseline: await baselineOf(config),
    scope: 'some files',
    read: await openReader(),
    rehearse: rehearseOf(desk, config.lint.declared ? config.lint.rehearsal : 'off', track),
    target: {
      rows: await targetOf(session),
      smallTableRows: config.lint.smallTableRows,
      preserves: track.preserve === false ? 'nothing' : 'data',
    },
  })
  return report.findings
}

function sentence({ rule, message }: Finding): string {
  return `${message} (${rule})`
}

function placeOf({ file, line, column }: Finding, folder: MigrationFolder) {
  const all = [...folder.migrations, ...(folder.repeatables ?? [])]
  const text = all.find(one => file !== null && resolve(one.up.file) === resolve(file))?.up.text
  return { ...(file === null ? {} : { file }), line, column, ...(text === undefined ? {} : { source: text }) }
}

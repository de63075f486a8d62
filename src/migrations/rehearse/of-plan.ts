/** What a rehearsal of a plan runs: what the database has, in the order in which it came there, and then the plan. */
import type { Session } from '../../engines/engine.ts'
import { hasChanged } from '../checksum.ts'
import { readStoredSql } from '../history.ts'
import { type MigrationFile, type VersionHistory, versionKey } from '../migration.ts'
import { standingRepeatables } from '../repeat-standing.ts'
import type { PlanInFull } from '../track.ts'
import type { Scripts } from './rehearse.ts'
import type { ScriptToRehearse } from './script.ts'

/** What was applied counts as it ran, which the folder may have otherwise or not at all by now. */
export async function scriptsOfPlan(session: Session, full: PlanInFull): Promise<Scripts> {
  const { planned, folder, history, repeatables } = full
  const files = new Map(folder.migrations.map(migration => [versionKey(migration.version), migration.up]))
  const applied = history
    .filter(one => one.state === 'applied')
    .sort((a, b) => (a.applied?.number ?? 0) - (b.applied?.number ?? 0))
  const past: ScriptToRehearse[] = []
  for (const one of applied) {
    const file = files.get(versionKey(one.version)) ?? null
    const script = await asItRan(session, one, file)
    if (script) past.push(script)
  }
  const standing = (await standingRepeatables(session, folder, repeatables)).map(({ up, version }) => ({
    ...scriptOf(up, version),
    optional: true as const,
  }))
  const pending = planned.plan.steps.flatMap(({ version, direction, file }): ScriptToRehearse[] => {
    const script = planned.scripts.get(version)?.script
    return script ? [{ version, direction, file, text: script.text, script }] : []
  })
  return { history: [...past, ...standing], pending }
}

async function asItRan(
  session: Session,
  { version, applied }: VersionHistory,
  file: MigrationFile | null,
): Promise<ScriptToRehearse | null> {
  const checksum = applied?.upChecksum ?? null
  if (file && (checksum === null || !hasChanged(file, checksum))) return scriptOf(file, version)
  const stored = applied ? await readStoredSql(session, applied.id, 'up') : null
  if (stored !== null) return { version, direction: 'up', file: null, text: stored }
  return file ? scriptOf(file, version) : null
}

function scriptOf({ file, text, transaction }: MigrationFile, version: string): ScriptToRehearse {
  return { version, direction: 'up', file, text, ...(transaction ? { transaction } : {}) }
}

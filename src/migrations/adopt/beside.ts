/** A history that another tool left and nobody took over: to apply its files again would do their work twice. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { compareVersions, isSameVersion } from '../migration.ts'
import { type FoundHistory, listHistories, readForeign } from './find.ts'
import type { Files, ForeignHistory } from './tool.ts'

/**
 * Of steps that Plinth never ran. Throws HISTORY_NOT_ADOPTED when another tool says that one of them has run there. A table that this role may not
 * read says nothing.
 */
export async function refuseUnadopted(
  session: Session,
  steps: readonly { readonly version: string }[],
  folder: Files,
): Promise<void> {
  if (steps.length === 0) return
  for (const found of await listHistories(session, {})) {
    const told = await readForeign(session, found, folder).catch(() => null)
    if (told === null) continue
    const done = steps.filter(({ version }) => hasRun(told, version))
    if (done.length > 0) throw unadopted(session, found, done)
  }
}

/** What the tool does not know itself is no reason: adopting, or a failing statement, decides it. */
function hasRun({ applied, upTo, doubt }: ForeignHistory, version: string): boolean {
  if (doubt !== null && isSameVersion(version, doubt.version)) return false
  if (applied.some(row => isSameVersion(row.version, version))) return true
  return upTo !== null && compareVersions(version, upTo) <= 0
}

function unadopted(
  session: Session,
  { tool, table }: FoundHistory,
  done: readonly { readonly version: string }[],
): PlinthError {
  const versions = done.map(step => step.version)
  const [first, last] = [versions[0], versions.at(-1)]
  return new PlinthError(
    'HISTORY_NOT_ADOPTED',
    `${tool.name} has applied ${versions.length === 1 ? first : `${first} to ${last}`} to ${session.address} (${table}), and nothing was taken over.`,
    {
      at: { object: table },
      hint: 'Run `plinth adopt`, which proves that history and goes on from it. Where it is of another folder, say so with migrations.otherHistory: ignore.',
      details: { tool: tool.name, table, versions },
    },
  )
}

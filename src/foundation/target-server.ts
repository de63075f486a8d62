/** How the server of a target differs from the one that rehearsed for it: what a forecast cannot know. */
import type { Session } from '../engines/engine.ts'
import type { Scripts } from '../migrations/rehearse/rehearse.ts'
import type { Rehearsal } from '../schema/rehearsal.ts'

export interface TargetServer {
  readonly version: number
  /** Functions that pending steps call and the target does not have, by the last part of their names. */
  readonly unknownCalls: readonly string[]
}

export async function serverOf(session: Session, { pending }: Pick<Scripts, 'pending'>): Promise<TargetServer> {
  const { plainCalls } = await import('../sql/newer.ts')
  const trees = pending.flatMap(({ script }) => script?.statements.map(({ tree }) => tree) ?? [])
  const called = [...new Set(trees.flatMap(plainCalls))]
  if (called.length === 0) return { version: session.serverVersion, unknownCalls: [] }
  const { rows } = await session.query<{ name: string }>(
    `select c.name from unnest($1::text[]) c (name)
    where not exists (select from pg_catalog.pg_proc p where p.proname = c.name)
    order by c.name`,
    [called],
  )
  return { version: session.serverVersion, unknownCalls: rows.map(({ name }) => name) }
}

/** Whole sentences, for the gaps of a forecast. */
export function differencesOf({ serverVersion, before, after, steps }: Rehearsal, target: TargetServer): string[] {
  if (serverVersion === target.version) return []
  const made = new Set(after.routines.map(({ name }) => name))
  const isWhole = steps.every(({ failure }) => failure === null)
  const extended = after.extensions.some(name => !before.extensions.includes(name))
  // What a step could not reach, or an extension brings along, may be what has that name.
  const unknown = isWhole && !extended ? target.unknownCalls.filter(name => !made.has(name)) : []
  return [
    `The rehearsal ran on PostgreSQL ${serverVersion} and the target is ${target.version}, where locks and rewrites may differ; --rehearse-on names a server of that version.`,
    ...unknown.map(name => `The target has no function ${name}, which a step calls.`),
  ]
}

/** A session that stands in the way, in words: the same on the terminal, in an error and in a trace. */
import type { Blocker } from './event.ts'

/** Such as `"psql" of anna (process 123, idle in transaction since 12:00:05Z: update shop.orders) with AccessExclusiveLock on shop.orders`. */
export function describeBlocker({
  processId,
  application,
  user,
  state,
  summary,
  mode,
  object,
  since,
}: Blocker): string {
  const who = `${application ? `"${application}"` : 'a session'}${user ? ` of ${user}` : ''}`
  const doing = [state, since ? `since ${since.slice(11, 19)}Z` : ''].filter(Boolean).join(' ')
  const facts = [`process ${processId}`, doing].filter(Boolean).join(', ')
  const lock = mode ? ` with ${mode}${object ? ` on ${object}` : ''}` : ''
  return `${who} (${facts}${summary ? `: ${summary}` : ''})${lock}`
}

/** The first two, and how many more. */
export function describeBlockers(blockers: readonly Blocker[]): string {
  const named = blockers.slice(0, 2).map(describeBlocker).join(' and ')
  return blockers.length > 2 ? `${named} and ${blockers.length - 2} more` : named || 'another session'
}

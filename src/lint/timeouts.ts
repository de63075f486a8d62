/** Whether a wait for a lock ends by itself. */
import { textOf } from '../sql/tree.ts'
import type { FileView } from './rule.ts'
import { leadOf } from './transactions.ts'

/** The run sets a lock timeout, the file asks for one, or a statement before this one sets it. */
export function hasLockTimeout({ settings, script, statements }: FileView, statement: number): boolean {
  if (settings.runnerSetsTimeouts) return true
  const head = script.text.slice(0, leadOf(script.text))
  return (
    /^\s*--\s*plinth:.*\block-timeout=/m.test(head) ||
    statements.some(view => view.statement.index < statement && textOf(view.fields, 'name') === 'lock_timeout')
  )
}

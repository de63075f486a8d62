/** Lends lint its rehearsal: where scratch databases of a track are made, and what to say when there can be none. */
import { asPlinthError } from '../errors.ts'
import type { Rehearse } from '../lint/run.ts'
import type { Desk } from './desk.ts'
import type { LintGroup } from './lint-sources.ts'

/** Null where none is wanted. Throws why there is none where the configuration requires one. */
export function rehearseOf(desk: Desk, group: LintGroup, wish: 'required' | 'preferred' | 'off'): Rehearse | null {
  if (wish === 'off') return null
  return async steps => {
    try {
      return { rehearsal: await rehearse(desk, group, steps), reason: null }
    } catch (thrown) {
      const error = asPlinthError(thrown)
      if (wish === 'required' || error.code === 'INTERNAL' || error.code === 'INTERRUPTED') throw error
      return { rehearsal: null, reason: error.message }
    }
  }
}

async function rehearse(_desk: Desk, _group: LintGroup, _steps: Parameters<Rehearse>[0]) {
  return null
}

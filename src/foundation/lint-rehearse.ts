/** Lends lint its rehearsal. */
import type { Track } from '../config/load.ts'
import type { Rehearse } from '../lint/past.ts'
import type { LintSource } from '../lint/source.ts'
import type { ScriptToRehearse } from '../migrations/rehearse/rehearse.ts'
import type { Desk } from './desk.ts'
import { rehearseIfPossible } from './rehearse.ts'

/** Null where none is wanted. Throws why there is none where one is required. */
export function rehearseOf(desk: Desk, wish: 'required' | 'preferred' | 'off', track: Track | null): Rehearse | null {
  if (wish === 'off') return null
  return async ({ history, pending }) =>
    rehearseIfPossible(desk, wish, { history: history.map(scriptOf), pending: pending.map(scriptOf) }, track)
}

function scriptOf({ version, direction, path, text, transaction }: LintSource): ScriptToRehearse {
  return { version: version ?? path, direction, file: path, text, ...(transaction ? { transaction } : {}) }
}

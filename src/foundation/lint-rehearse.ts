/** Lends lint its rehearsal: where scratch databases are made, and what to say when there can be none. */
import { engineOf } from '../engines/registry.ts'
import { asPlinthError } from '../errors.ts'
import type { Rehearse } from '../lint/run.ts'
import type { LintSource } from '../lint/source.ts'
import type { RehearsalPlace, ScriptToRehearse } from '../migrations/rehearse/rehearse.ts'
import { type Desk, embeddedUrl } from './desk.ts'

export interface RehearsalWish {
  readonly rehearsal: 'required' | 'preferred' | 'off'
  /** A server of one's own, in place of the embedded one. */
  readonly rehearseOn?: string | undefined
}

/** Null where none is wanted. Throws why there is none where one is required. */
export function rehearseOf(desk: Desk, { rehearsal: wish, rehearseOn }: RehearsalWish): Rehearse | null {
  if (wish === 'off') return null
  return async ({ history, pending }) => {
    try {
      const { rehearseScripts } = await import('../migrations/rehearse/rehearse.ts')
      const place = await rehearsalPlace(desk, rehearseOn)
      const scripts = { history: history.map(scriptOf), pending: pending.map(scriptOf) }
      return { rehearsal: await rehearseScripts(place, scripts), reason: null }
    } catch (thrown) {
      const error = asPlinthError(thrown)
      if (wish === 'required' || error.code === 'INTERNAL' || error.code === 'INTERRUPTED') throw error
      return { rehearsal: null, reason: error.message }
    }
  }
}

async function rehearsalPlace(desk: Desk, rehearseOn: string | undefined): Promise<RehearsalPlace> {
  const { signal } = desk
  if (rehearseOn !== undefined) return { engine: await engineOf(rehearseOn), url: rehearseOn, signal }
  const url = await embeddedUrl(desk)
  return { engine: await engineOf(url), url, signal, missingRoles: 'make' }
}

function scriptOf({ path, direction, version, text, transaction }: LintSource): ScriptToRehearse {
  return { version: version ?? path, direction, file: path, text, ...(transaction ? { transaction } : {}) }
}

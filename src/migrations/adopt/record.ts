/** Writes down what was adopted: one attempt a version, as if it had been applied here, and who said so. */
import { randomUUID } from 'node:crypto'
import { type Held, withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { type Clock, systemClock } from '../../telemetry/event.ts'
import { finishRun, insertAttempt, insertRun, type RunOrigin } from '../history.ts'
import type { Attempt, Migration } from '../migration.ts'

export interface Adopted {
  readonly migration: Migration
  /** When the other tool applied it, in UTC; null when it did not say. */
  readonly at: string | null
  readonly by: string | null
}

/** Kept with each attempt that was taken over. */
export interface AdoptedNote {
  readonly adopted: {
    /** A tool, or `baseline`. */
    readonly from: string
    /** The table of its history; null for a baseline. */
    readonly table: string | null
    readonly by: string | null
    /** Schemas that were there before its first file; absent where none was. */
    readonly schemas?: readonly string[]
    /** Differences that were accepted, by object and property. */
    readonly accepted: readonly { readonly change: string; readonly object: string; readonly property: string }[]
  }
}

/** All in one transaction. The caller has made the ledger and holds the track's lock; whoever slept past the end of his lease writes nothing. */
export async function recordAdoption(
  session: Session,
  origin: RunOrigin,
  adopted: readonly Adopted[],
  options: {
    readonly command: 'adopt' | 'baseline'
    readonly note: AdoptedNote['adopted']
    readonly held: Held
    readonly clock?: Clock | undefined
  },
): Promise<void> {
  const { command, note, held, clock = systemClock } = options
  const now = new Date(clock.now()).toISOString()
  await withTransaction(session, async () => {
    await insertRun(session, origin, { command, direction: 'up', stepsPlanned: adopted.length, startedAt: now })
    for (const { migration, at, by } of adopted) {
      const { version, slug, up, down } = migration
      const id = randomUUID()
      await insertAttempt(
        session,
        origin,
        {
          id,
          version,
          slug,
          direction: 'up',
          status: 'applied',
          mode: 'transactional',
          upChecksum: up.checksum,
          downChecksum: down?.checksum ?? null,
          upSql: up.text,
          downSql: down?.text ?? null,
          statementsTotal: 0,
          cursor: 0,
          prefixHash: null,
          startedAt: at ?? now,
        },
        { finishedAt: at ?? now, durationMs: 0, rows: 0, tables: [] },
      )
      const kept: AdoptedNote = { adopted: { ...note, by } }
      await session.query('update plinth.migration_attempts set note = $2::json where id = $1', [
        id,
        JSON.stringify(kept),
      ])
    }
    await finishRun(session, origin.runId, {
      status: 'succeeded',
      stepsDone: adopted.length,
      errorCode: null,
      finishedAt: now,
    })
    await held.fence(session)
  })
}

/** What an attempt says of its adoption; null for one that ran here. */
export function adoptionOf(attempt: Attempt | null): AdoptedNote['adopted'] | null {
  const note = attempt?.note
  if (typeof note !== 'object' || note === null || !('adopted' in note)) return null
  return (note as AdoptedNote).adopted
}

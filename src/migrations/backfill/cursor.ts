/** How far a statement's batches are: kept with the attempt, in the transaction of each batch. */
import { prefixHash } from '../history.ts'
import type { Statement } from '../../sql/parse.ts'

export interface BatchCursor {
  /** Index of the statement in its file. */
  readonly statement: number
  /** Of the statement's text: after an edit it is another statement, which begins at its beginning. */
  readonly fingerprint: string
  /** The last key that is done, as text; null before the first batch. */
  readonly key: readonly string[] | null
  readonly seen: number
  readonly changed: number
  readonly batches: number
}

/** The cursor that an attempt kept for this very statement, or the beginning. */
export function cursorFor(statement: Statement, note: unknown): BatchCursor {
  const kept = readCursor(note)
  const fingerprint = prefixHash([statement], 1)
  if (kept?.statement === statement.index && kept.fingerprint === fingerprint) return kept
  return { statement: statement.index, fingerprint, key: null, seen: 0, changed: 0, batches: 0 }
}

/** True when an attempt that counts no statement as done did batches of one, whose effect lasts. */
export function hasBatches(note: unknown): boolean {
  return (readCursor(note)?.batches ?? 0) > 0
}

export function readCursor(note: unknown): BatchCursor | null {
  if (typeof note !== 'object' || note === null || !('backfill' in note)) return null
  const cursor = note.backfill as Partial<BatchCursor> | null
  return typeof cursor?.statement === 'number' && typeof cursor.fingerprint === 'string'
    ? (cursor as BatchCursor)
    : null
}

/** Finds the row that the database refused, so that an error can name its file and line. */
import { withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { SeedRow } from './datum.ts'
import type { Source } from './source.ts'

/** Rows of a batch, as PostgreSQL reads them, in the order of the source's columns. */
export type Texts = readonly (readonly (string | null)[])[]

export interface Batch {
  readonly session: Session
  readonly source: Source
  readonly rows: readonly SeedRow[]
  /** The rows as they will be stored. */
  readonly texts: Texts
}

/**
 * Merges a batch in one transaction. When the database refuses it, the shortest beginning of the batch that it refuses too is searched by
 * halving, rolled back each time; that beginning ends with the culprit. The error keeps its code and gains the row's place.
 */
export async function mergeBatch<T>(batch: Batch, merge: (texts: Texts) => Promise<T>): Promise<T> {
  try {
    return await withTransaction(batch.session, () => merge(batch.texts))
  } catch (thrown) {
    if (!(thrown instanceof PlinthError) || !aboutRows(thrown)) throw thrown
    const row = batch.rows[(await shortestRefused(batch, merge)) - 1]
    if (!row) throw thrown
    throw new PlinthError(thrown.code, `${thrown.message} The row is "${row.label}" of ${batch.source.table}.`, {
      at: batch.source.placeOf(row),
      hint: thrown.hint,
      sqlState: thrown.sqlState,
      details: { ...thrown.details, table: batch.source.table, row: row.label },
      cause: thrown,
    })
  }
}

/** Errors of data (22), of integrity (23), of a privilege or policy (42501), or raised by a function (P0001). */
function aboutRows(error: PlinthError): boolean {
  return /^(22|23|42501|P0001)/.test(error.sqlState ?? '')
}

/** The number of rows of that beginning; 0 when the failure does not happen again. */
async function shortestRefused(batch: Batch, merge: (texts: Texts) => Promise<unknown>): Promise<number> {
  let accepted = 0
  let refused = batch.texts.length
  if (await isAccepted(batch, refused, merge)) return 0
  while (refused - accepted > 1) {
    const middle = (accepted + refused) >>> 1
    if (await isAccepted(batch, middle, merge)) accepted = middle
    else refused = middle
  }
  return refused
}

async function isAccepted(batch: Batch, count: number, merge: (texts: Texts) => Promise<unknown>): Promise<boolean> {
  const { session } = batch
  await session.query('begin')
  try {
    await merge(batch.texts.slice(0, count))
    // What would be checked at commit is checked now, since there will be no commit.
    await session.query('set constraints all immediate')
    return true
  } catch (thrown) {
    if (thrown instanceof PlinthError && aboutRows(thrown)) return false
    throw thrown
  } finally {
    await session.query('rollback')
  }
}

/**
 * Replacing the rows of changed cells in a transform's table. What the transform answers is kept in a table of the session first: the rows
 * are made from it, and what stands in the cells afterwards is held against it, so a proof costs no second computation.
 */
import type { Session } from '../../engines/engine.ts'
import { inCells, lastIn, type ListedBatch, spellingOf } from './cells.ts'
import type { Names } from '../project/compile.ts'
import type { Difference } from '../prove/digest.ts'
import {
  type CellTransform,
  compileBatch,
  insertCells,
  located,
  readDifferences,
  tableColumns,
  tableOf,
} from './materialize.ts'

export interface Replaced {
  /** Rows that stand in the cells now. */
  readonly rows: number
  /** Cells whose rows are not what the transform answered; none where a transaction is sent as a whole, which asserts that itself. */
  readonly differences: readonly Difference[]
}

/** Replaces the rows of the batch's cells. A cell without rows becomes empty. */
export async function replaceCells(
  session: Session,
  transform: CellTransform,
  names: Names,
  batch: ListedBatch,
): Promise<Replaced> {
  const { cell } = transform
  const { name: quoted, asStored, deferred } = spellingOf(session)
  const table = tableOf(session, transform)
  const remove = `delete from ${table} as stored where ${inCells('stored', cell, batch)}`
  if (deferred) {
    await session.query(remove)
    return { rows: await insertCells(session, transform, names, batch), differences: [] }
  }
  const rendered = await compileBatch(session, transform, names, batch)
  const columns = await tableColumns(session, transform)
  const list = columns.map(({ name }) => quoted(name)).join(', ')
  const values = columns.map(({ name, type }) => `${asStored(`result.${quoted(name)}`, type)} as ${quoted(name)}`)
  // The condition outside keeps a transform right that forgot its own: it would only be slow.
  await located(transform, rendered, () =>
    session.query(
      `create or replace temp table ${answer.name} as select ${values.join(', ')} from (\n${rendered.sql}\n) as result where ${inCells('result', cell, batch)}`,
    ),
  )
  await session.query(remove)
  const { rowCount } = await located(transform, rendered, () =>
    session.query(`insert into ${table} (${list}) select ${list} from ${answer.path}`),
  )
  const differences = await unlikeAnswer(session, transform, batch, columns)
  await session.query(`drop table ${answer.path}`)
  return { rows: rowCount, differences }
}

const answer = { name: 'plinth_answer', path: 'temp.main.plinth_answer' }

/**
 * Cells whose stored rows are not those of the answer. All cells are compared at once, by the number of rows and the sum of their hashes. The
 * bucket and the shard are hashed with the rest, so a row that stands in another cell changes the sum as any other difference does, and
 * equal sums say of all cells what they would say of each. Only where they differ are the cells looked at one by one.
 */
async function unlikeAnswer(
  session: Session,
  transform: CellTransform,
  batch: ListedBatch,
  columns: readonly { readonly name: string }[],
): Promise<Difference[]> {
  const { cell } = transform
  const { name: quoted, fingerprint } = spellingOf(session)
  const digest = (alias: string) =>
    `count(*) as row_count, ${fingerprint(columns.map(({ name }) => `${alias}.${quoted(name)}`))} as row_hash`
  const condition = inCells('stored', cell, batch)
  // What is read over everything has no rows before it that could be passed over.
  const within = batch.whole === 'yes' ? condition : await lastIn(session, transform, 'stored', condition)
  const from = {
    answered: `from ${answer.path} as answer`,
    stored: `from ${tableOf(session, transform)} as stored where ${within}`,
  }
  const { rows } = await session.query<{ equal: boolean }>(
    `select answered.row_count = stored.row_count and answered.row_hash is not distinct from stored.row_hash as equal
from (select ${digest('answer')} ${from.answered}) as answered,
  (select ${digest('stored')} ${from.stored}) as stored`,
  )
  if (rows[0]?.equal === true) return []
  const key = (alias: string) => `${alias}.${quoted(cell.bucket)} as bucket, ${alias}.${quoted(cell.shard)} as shard`
  return readDifferences(
    session,
    transform,
    `with answered as (select ${key('answer')}, ${digest('answer')} ${from.answered} group by 1, 2),
stored as (select ${key('stored')}, ${digest('stored')} ${from.stored} group by 1, 2)`,
  )
}

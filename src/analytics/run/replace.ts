/**
 * Replacing the rows of changed cells in a transform's table. What the transform answers is kept in a table of the session first: the rows
 * are made from it, and what stands in the cells afterwards is held against it, so a proof costs no second computation.
 */
import type { Session } from '../../engines/engine.ts'
import { inCells, type ListedBatch, spellingOf } from './cells.ts'
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
  const differences = await unlikeAnswer(session, transform, batch)
  await session.query(`drop table ${answer.path}`)
  return { rows: rowCount, differences }
}

const answer = { name: 'plinth_answer', path: 'temp.main.plinth_answer' }

/** Cells whose stored rows are not those of the answer. */
async function unlikeAnswer(session: Session, transform: CellTransform, batch: ListedBatch): Promise<Difference[]> {
  const { cell } = transform
  const { name: quoted, fingerprint } = spellingOf(session)
  const columns = await tableColumns(session, transform)
  const digest = (alias: string) =>
    `select ${alias}.${quoted(cell.bucket)} as bucket, ${alias}.${quoted(cell.shard)} as shard, count(*) as row_count,
  ${fingerprint(columns.map(({ name }) => `${alias}.${quoted(name)}`))} as row_hash`
  return readDifferences(
    session,
    transform,
    `with answered as (${digest('answer')} from ${answer.path} as answer group by 1, 2),
stored as (${digest('stored')} from ${tableOf(session, transform)} as stored where ${inCells('stored', cell, batch)} group by 1, 2)`,
  )
}

/** When each cell was last proved equal to the source, where the project keeps that. */
import type { Session } from '../../engines/engine.ts'
import type { CellDigest } from '../run/capture.ts'
import { cellCondition, listCells, type ListedBatch, spellingOf } from '../run/cells.ts'
import type { Batch } from '../run/plan.ts'
import type { CapturedSource } from '../project/project.ts'
import { keyOf } from './digest.ts'

export interface Proof {
  readonly runId: string
  /** When the source was read, by its own clock. */
  readonly readAt: string
  /** Cells that were found equal; the others of the batch lose what was said of them. */
  readonly cells: readonly CellDigest[]
}

/** Within the transaction that is open. */
export async function storeProof(
  session: Session,
  source: CapturedSource,
  batch: ListedBatch,
  proof: Proof,
): Promise<void> {
  const table = source.capture.reconciledCells
  if (table === null) return
  await session.query(`delete from ${table} as raw where ${cellCondition(batch)}`)
  await spellingOf(session).loadCsv(session, { table, columns, source: lines(proof.cells, proof) })
}

/**
 * The same for cells of which a part was replaced and compared: they hold other rows now, while the rest was compared when it was before. Within
 * the transaction that is open.
 */
export async function adjustProof(
  session: Session,
  source: CapturedSource,
  batch: ListedBatch,
  cells: readonly CellDigest[],
): Promise<void> {
  const table = source.capture.reconciledCells
  if (table === null) return
  const { rows } = await session.query<StoredProof>(
    `select bucket_hour as hour, shard, reconciled_at, run_id from ${table} as raw where ${cellCondition(batch)}`,
  )
  const before = new Map(rows.map(row => [keyOf({ hour: row.hour, shard: Number(row.shard) }), row]))
  await session.query(`delete from ${table} as raw where ${cellCondition(batch)}`)
  const kept = cells.flatMap(cell => {
    const row = before.get(keyOf(cell))
    return row ? [{ cell, proof: { readAt: row.reconciled_at, runId: row.run_id } }] : []
  })
  const all = kept.map(({ cell, proof }) => line(cell, proof))
  await spellingOf(session).loadCsv(session, { table, columns, source: texts(all) })
}

/** Those of the batch's cells of which a proof stands, by their keys; null where the project keeps none. */
export async function provedCells(
  session: Session,
  source: CapturedSource,
  batch: Batch,
): Promise<ReadonlySet<string> | null> {
  const table = source.capture.reconciledCells
  if (table === null) return null
  const listed = await listCells(session, batch)
  const { rows } = await session.query<{ hour: string; shard: number | string }>(
    `select bucket_hour as hour, shard from ${table} as raw where ${cellCondition(listed)}`,
  )
  return new Set(rows.map(({ hour, shard }) => keyOf({ hour, shard: Number(shard) })))
}

interface StoredProof {
  readonly [column: string]: unknown
  readonly hour: string
  readonly shard: number | string
  readonly reconciled_at: string
  readonly run_id: string
}

const columns = [
  { name: 'bucket_hour', type: 'timestamptz' },
  { name: 'shard', type: 'smallint' },
  { name: 'reconciled_at', type: 'timestamptz' },
  { name: 'source_rows', type: 'bigint' },
  { name: 'run_id', type: 'varchar' },
]

async function* lines(cells: readonly CellDigest[], proof: Omit<Proof, 'cells'>): AsyncGenerator<string> {
  for (const cell of cells) yield line(cell, proof)
}

async function* texts(all: readonly string[]): AsyncGenerator<string> {
  yield* all
}

function line({ hour, shard, rows }: CellDigest, { readAt, runId }: Omit<Proof, 'cells'>): string {
  return `${hour},${shard},${readAt},${rows},${quoted(runId)}\n`
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

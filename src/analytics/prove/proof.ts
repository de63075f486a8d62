/** When each cell was last proved equal to the source, where the project keeps that. */
import type { Session } from '../../engines/engine.ts'
import type { CellDigest } from '../run/capture.ts'
import { type ListedBatch, rawCondition, spellingOf } from '../run/cells.ts'
import type { CapturedSource } from '../project/project.ts'

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
  await session.query(`delete from ${table} as raw where ${rawCondition(batch)}`)
  await spellingOf(session).loadCsv(session, { table, columns, source: lines(proof) })
}

const columns = [
  { name: 'bucket_hour', type: 'timestamptz' },
  { name: 'shard', type: 'smallint' },
  { name: 'reconciled_at', type: 'timestamptz' },
  { name: 'source_rows', type: 'bigint' },
  { name: 'run_id', type: 'varchar' },
]

async function* lines({ cells, readAt, runId }: Proof): AsyncGenerator<string> {
  for (const { hour, shard, rows } of cells) yield `${hour},${shard},${readAt},${rows},${quoted(runId)}\n`
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

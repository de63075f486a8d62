/** How much came late: rows that joined cells whose hour had ended when the warehouse was last brought up to date. */
import type { Session } from '../engines/engine.ts'
import type { CellDigest } from './run/capture.ts'
import { cellCondition, type ListedBatch } from './run/cells.ts'
import { keyOf } from './prove/digest.ts'
import { hourAfter } from './run/plan.ts'
import type { CapturedSource } from './project/project.ts'

export interface Late {
  readonly cells: number
  /** Rows more than before, in cells that have more; null where the project does not keep what each cell held. */
  readonly events: number | null
}

export const nothingLate: Late = { cells: 0, events: 0 }

/** Begins a measurement of the batch before it is replaced; what it answers ends it, with what was found in the source. */
export async function measureLate(
  warehouse: Session,
  source: CapturedSource,
  batch: ListedBatch,
  movedAt: string | null,
): Promise<(now: readonly CellDigest[]) => Late> {
  const late = lateCells(batch, movedAt)
  if (late.size === 0) return () => nothingLate
  const before = await rowsOf(warehouse, source, batch)
  return now => {
    if (before === null) return { cells: late.size, events: null }
    const more = now.map(cell => (late.has(keyOf(cell)) ? Number(cell.rows) - (before.get(keyOf(cell)) ?? 0) : 0))
    return { cells: late.size, events: more.reduce((sum, rows) => sum + Math.max(0, rows), 0) }
  }
}

export async function recordLate(warehouse: Session, source: string, runId: string, late: Late): Promise<void> {
  if (late.cells === 0) return
  await warehouse.query(
    'insert into plinth.rollup_late (run_id, source, cells, events, finished_at) values ($1, $2, $3, $4, now())',
    [runId, source, late.cells, late.events],
  )
}

export function addLate(a: Late, b: Late): Late {
  return { cells: a.cells + b.cells, events: a.events === null || b.events === null ? null : a.events + b.events }
}

function lateCells({ whole, hours }: ListedBatch, movedAt: string | null): ReadonlySet<string> {
  if (whole === 'yes' || movedAt === null) return new Set()
  return new Set(
    hours
      .filter(({ hour }) => /^\d{4}-/.test(hour) && hourAfter(hour) <= movedAt)
      .flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => keyOf({ hour, shard })))),
  )
}

/** What the batch's cells were last proved to hold. */
async function rowsOf(
  warehouse: Session,
  source: CapturedSource,
  batch: ListedBatch,
): Promise<ReadonlyMap<string, number> | null> {
  const table = source.capture.reconciledCells
  if (table === null) return null
  const { rows } = await warehouse.query<{ hour: string; shard: number | string; source_rows: string }>(
    `select bucket_hour as hour, shard, source_rows from ${table} as raw where ${cellCondition(batch)}`,
  )
  return new Map(rows.map(row => [keyOf({ hour: row.hour, shard: Number(row.shard) }), Number(row.source_rows)]))
}

/** How much came late: rows that joined cells whose hour had ended when the warehouse was last brought up to date. */
import type { Session } from '../engines/engine.ts'
import { spellingOf } from './run/cells.ts'
import { keyOf } from './prove/digest.ts'
import { type Batch, hourAfter } from './run/plan.ts'
import type { CapturedSource } from './project/project.ts'

export interface Late {
  readonly cells: number
  /** Rows more than before, in cells that have more; null where the project does not keep what each cell held. */
  readonly events: number | null
}

type Cell = { readonly hour: string; readonly shard: number }

/** Begins a measurement of the batch, which `measured` ends after it was replaced. */
export async function measureLate(
  warehouse: Session,
  source: CapturedSource,
  batch: Batch,
  movedAt: string | null,
): Promise<() => Promise<Late>> {
  const cells = lateCells(batch, movedAt)
  if (cells.length === 0) return async () => ({ cells: 0, events: 0 })
  const before = await rowsOf(warehouse, source, cells)
  return async () => {
    if (before === null) return { cells: cells.length, events: null }
    const after = await rowsOf(warehouse, source, cells)
    const more = cells.map(cell => (after?.get(keyOf(cell)) ?? 0) - (before.get(keyOf(cell)) ?? 0))
    return { cells: cells.length, events: more.reduce((sum, rows) => sum + Math.max(0, rows), 0) }
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

function lateCells({ whole, hours }: Batch, movedAt: string | null): Cell[] {
  if (whole === 'yes' || movedAt === null) return []
  return hours
    .filter(({ hour }) => /^\d{4}-/.test(hour) && hourAfter(hour) <= movedAt)
    .flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => ({ hour, shard }))))
}

const hoursAtOnce = 1000

async function rowsOf(
  warehouse: Session,
  source: CapturedSource,
  cells: readonly Cell[],
): Promise<ReadonlyMap<string, number> | null> {
  const table = source.capture.reconciledCells
  if (table === null) return null
  const { moment } = spellingOf(warehouse)
  const hours = [...new Set(cells.map(({ hour }) => hour))]
  const found = new Map<string, number>()
  for (let from = 0; from < hours.length; from += hoursAtOnce) {
    const listed = hours.slice(from, from + hoursAtOnce).map(hour => moment(hour, 'before all'))
    const { rows } = await warehouse.query<{ hour: string; shard: number | string; source_rows: string }>(
      `select bucket_hour as hour, shard, source_rows from ${table} where bucket_hour in (${listed.join(', ')})`,
    )
    for (const row of rows) found.set(keyOf({ hour: row.hour, shard: Number(row.shard) }), Number(row.source_rows))
  }
  return found
}

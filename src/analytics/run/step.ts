/**
 * One atomic step of a run: a batch's cells are replaced in raw and in every transform, compared with the source, and kept together in
 * one transaction of the warehouse. Whatever fails or dies in between leaves the warehouse as it was.
 */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'
import type { CellDigest, Cursor } from './capture.ts'
import { cellCondition, lastIn, listCells, type ListedBatch, ofAll, rawCondition, spellingOf } from './cells.ts'
import type { Names } from '../project/compile.ts'
import { compareDigests, type Difference } from '../prove/digest.ts'
import {
  type Claim,
  claimTarget,
  keepCursor,
  moveCursor,
  recordRun,
  type RunRecord,
  storeFingerprints,
} from '../ledger.ts'
import { addLate, type Late, measureLate, nothingLate } from '../late.ts'
import { assertCells, assertTransform, countReplaced } from './deferred.ts'
import { hasCells, rebuild, type Sample } from './materialize.ts'
import { persistDocs } from './persist-docs.ts'
import { type Batch, planDays } from './plan.ts'
import { toldApart } from './named.ts'
import { adjustProof, storeProof } from '../prove/proof.ts'
import { type CapturedSource, sourceKey, type Transform } from '../project/project.ts'
import { replaceCells } from './replace.ts'
import { type Loaded, loadRows, warehouseCells } from './transfer.ts'

/** Where a run is; told so that tests can stop it or let it die there. */
export type Stage = 'leased' | 'captured' | 'claimed' | 'loaded' | 'replaced' | 'proved' | 'committed' | 'acknowledged'

export interface StepContext {
  readonly source: CapturedSource
  /** What depends on the source, in order. */
  readonly transforms: readonly Transform[]
  /** Those whose SQL changed since their rows were made: they are built anew with the last batch. */
  readonly stale: ReadonlySet<string>
  readonly names: Names
  /** In the snapshot of the run. */
  readonly reader: Session
  readonly warehouse: Session
  readonly claim: Claim
  /** When the cursor was last moved: what changes in cells that had ended by then came late. Null where nobody asks. */
  readonly movedAt?: string | null
  /** When the snapshot was taken, by the clock of the source. */
  readonly readAt: string
  readonly emit: Emit
  readonly onStage: (stage: Stage) => Promise<void>
  /** Whatever else is to be kept with a batch. */
  readonly also?: (warehouse: Session, rows: number) => Promise<void>
}

/** What ends with the last batch of a run. */
export interface Closing {
  /** Null for a run of a part of the transforms: the others have not got what it replaced. */
  readonly cursor: Cursor | null
  readonly fingerprints: ReadonlyMap<string, string>
  run(loadedRows: number): RunRecord
  /** Whatever else is to be kept with the cursor. */
  also(warehouse: Session): Promise<void>
}

export interface StepResult {
  readonly rows: number
  readonly cells: number
  readonly tables: Readonly<Record<string, number>>
  /** What came after its hour had been rolled up. */
  readonly late: Late
}

/** Replaces a batch; with `closing`, moves the cursor as well. Throws LEASE_LOST, DIFFERENCES_FOUND, TRANSFORM_INVALID, WAREHOUSE_FAILED. */
export async function applyBatch(context: StepContext, batch: Batch, closing: Closing | null): Promise<StepResult> {
  const { warehouse, source, onStage } = context
  let replaced: ListedBatch | null = null
  const result = await withTransaction(warehouse, async () => {
    await claimTarget(warehouse, context.claim)
    await onStage('claimed')
    const first = batch.before ? await replaceBatch(context, await listCells(warehouse, batch.before), null) : nothing
    replaced = await listCells(warehouse, batch)
    const done = together(first, await replaceBatch(context, replaced, closing))
    await context.also?.(warehouse, done.rows)
    if (closing) {
      const raw = rawTable(warehouse, source)
      if (closing.cursor) await moveCursor(warehouse, sourceKey(source), closing.cursor, context.claim.runId, raw)
      else await keepCursor(warehouse, sourceKey(source), raw)
      await storeFingerprints(warehouse, closing.fingerprints, context.claim.runId)
      await recordRun(warehouse, closing.run(done.rows))
      await closing.also(warehouse)
    }
    return done
  })
  await onStage('committed')
  if (spellingOf(warehouse).deferred)
    for (const transform of context.transforms)
      if (transform.materialized === 'view' && `${transform.schema}.${transform.name}` in result.tables)
        await persistDocs(warehouse, transform, 'view')
  return replaced && spellingOf(warehouse).deferred ? tellReplaced(context, replaced, result) : result
}

const nothing: StepResult = { rows: 0, cells: 0, tables: {}, late: nothingLate }

function together(a: StepResult, b: StepResult): StepResult {
  const tables: Record<string, number> = { ...a.tables }
  for (const [table, rows] of Object.entries(b.tables)) tables[table] = (tables[table] ?? 0) + rows
  return { rows: a.rows + b.rows, cells: a.cells + b.cells, tables, late: addLate(a.late, b.late) }
}

/** Within the transaction that is open. What is built as a whole is built with the `closing` batch. */
async function replaceBatch(context: StepContext, batch: ListedBatch, closing: Closing | null): Promise<StepResult> {
  const { warehouse, source, onStage } = context
  const measured = await measureLate(warehouse, source, batch, context.movedAt ?? null)
  const loaded = await loadRaw(context, batch)
  await onStage('loaded')
  const { tables, differences } = await runTransforms(context, batch, closing)
  await onStage('replaced')
  const proved = await prove(context, batch, loaded, differences)
  const standing = batch.named ? await standingCells(warehouse, source, batch) : proved
  if (batch.named) await adjustProof(warehouse, source, batch, standing)
  else await storeProof(warehouse, source, batch, { runId: context.claim.runId, readAt: context.readAt, cells: proved })
  await onStage('proved')
  return { rows: loaded.rows, cells: proved.length, tables, late: measured(standing) }
}

/** What the batch's cells hold now with the rows that were not looked at: their number alone. */
async function standingCells(warehouse: Session, source: CapturedSource, batch: ListedBatch): Promise<CellDigest[]> {
  const { rows } = await warehouse.query<{ hour: string; shard: number | string; row_count: string }>(
    `select raw.bucket_hour as hour, raw.shard as shard, count(*) as row_count
     from ${rawTable(warehouse, source)} as raw where ${cellCondition(batch)} group by 1, 2`,
  )
  return rows.map(row => ({ hour: row.hour, shard: Number(row.shard), rows: row.row_count, hash: '', sums: [] }))
}

async function loadRaw(context: StepContext, batch: ListedBatch): Promise<Loaded> {
  const { warehouse, source, emit } = context
  const started = performance.now()
  const table = rawTable(warehouse, source)
  await warehouse.query(`delete from ${table} as raw where ${rawCondition(batch)}`)
  const loaded = await loadRows(context.reader, warehouse, source, batch)
  emit({
    type: 'rollup.loaded',
    table: sourceKey(source),
    rows: loaded.rows,
    cells: batch.cells,
    durationMs: Math.round(performance.now() - started),
  })
  return loaded
}

interface Transformed {
  /** Rows that were written, by table. */
  readonly tables: Readonly<Record<string, number>>
  /** Cells that do not hold what their transform answered. */
  readonly differences: readonly Difference[]
}

async function runTransforms(context: StepContext, batch: ListedBatch, closing: Closing | null): Promise<Transformed> {
  const { warehouse, names, emit } = context
  const tables: Record<string, number> = {}
  const differences: Difference[] = []
  let planned: Promise<Batch[]> | undefined
  const stretches = () => (planned ??= daysOf(warehouse, context.source))
  const apart = toldApart(context.transforms, context.source)
  for (const transform of context.transforms) {
    const started = performance.now()
    const byCells = hasCells(transform) && !context.stale.has(transform.name)
    // What is built as a whole reads everything, so it waits until everything is there.
    if (!byCells && !closing) continue
    // Where no row changed, or a view's text did not, all stays as it is.
    const unchanged = batch.whole === 'no' && (batch.cells === 0 || transform.materialized === 'view')
    if (unchanged && !context.stale.has(transform.name)) continue
    let rows: number
    if (byCells && hasCells(transform)) {
      const replaced = await replaceCells(warehouse, transform, names, apart.has(transform.name) ? batch : ofAll(batch))
      rows = replaced.rows
      differences.push(...replaced.differences)
    } else rows = await rebuild(warehouse, transform, names, stretches)
    tables[`${transform.schema}.${transform.name}`] = rows
    if (spellingOf(warehouse).deferred) continue
    const durationMs = Math.round(performance.now() - started)
    emit({
      type: 'rollup.replaced',
      table: `${transform.schema}.${transform.name}`,
      rows,
      cells: batch.cells,
      durationMs,
    })
  }
  return { tables, differences }
}

/** Rows that are grouped at once when a transform is built anew. */
const rowsAtOnce = 30_000_000

const everything: Batch = { from: null, until: null, hours: [], whole: 'yes', rows: 0, cells: 0 }

/** Stretches of days of what stands in the raw table. */
export async function daysOf(warehouse: Session, source: CapturedSource): Promise<Batch[]> {
  // What a script will have loaded is not there yet, and memory is not ours: all of it at once.
  if (spellingOf(warehouse).deferred) return [everything]
  // How many rows there are is known without a look at them.
  const whole = await warehouse.query<{ row_count: string }>(
    `select count(*) as row_count from ${rawTable(warehouse, source)}`,
  )
  if (Number(whole.rows[0]?.row_count) <= rowsAtOnce) return [everything]
  const { rows } = await warehouse.query<{ hour: string; row_count: string }>(
    `select bucket_hour as hour, count(*) as row_count from ${rawTable(warehouse, source)} group by bucket_hour`,
  )
  const hours = rows.filter(row => /^\d{4}-/.test(row.hour))
  return planDays(
    hours.map(row => ({ hour: row.hour, rows: Number(row.row_count) })),
    rowsAtOnce,
  )
}

/**
 * The run's own reconciliation, of every cell that it replaced. Raw rows are compared with the source at the same snapshot; each transform's
 * rows were compared with its answer when they were made. That the answer is the one which the inputs ask for is the engine's word; a
 * reconciliation computes it once more.
 */
async function prove(
  context: StepContext,
  batch: ListedBatch,
  { cells: expected, texts }: Loaded,
  transformed: readonly Difference[],
): Promise<CellDigest[]> {
  const { warehouse, source } = context
  if (spellingOf(warehouse).deferred) return proveAtCommit(context, batch, expected)
  const raw = { schema: source.schema, name: source.identifier }
  const condition =
    batch.whole === 'yes' ? rawCondition(batch) : await lastIn(warehouse, raw, 'raw', rawCondition(batch))
  const found = await warehouseCells(warehouse, source, condition, texts)
  const differences = [...compareDigests(`${source.schema}.${source.identifier}`, expected, found), ...transformed]
  const [first] = differences
  if (!first) return expected
  throw new PlinthError(
    'DIFFERENCES_FOUND',
    `After loading, ${first.table} differs from its source in ${differences.length} cells; nothing was kept.`,
    {
      at: { object: first.table },
      hint: 'Report this: rows were changed on their way into the warehouse.',
      details: { differences: differences.slice(0, 20) },
    },
  )
}

/** How many runs that load everything it takes until each shard was recomputed, where looking twice is billed. */
const rounds = 16

function sampleOf({ claim }: StepContext, { whole }: ListedBatch): Sample {
  return whole === 'yes' ? { of: rounds, shard: Number(claim.token % BigInt(rounds)) } : 'all'
}

/** Where one's own writes cannot be seen, a transform's rows are compared with its answer to the same inputs when all is written. */
async function proveAtCommit(context: StepContext, batch: ListedBatch, expected: CellDigest[]): Promise<CellDigest[]> {
  const { warehouse, source, names } = context
  await assertCells(warehouse, source, rawCondition(batch), expected)
  for (const transform of context.transforms) {
    if (hasCells(transform) && !context.stale.has(transform.name))
      await assertTransform(warehouse, transform, names, batch, sampleOf(context, batch))
  }
  return expected
}

/** What a script wrote is known when it is over. */
async function tellReplaced(context: StepContext, batch: ListedBatch, result: StepResult): Promise<StepResult> {
  const started = performance.now()
  const { warehouse, stale, emit } = context
  const done = context.transforms.filter(hasCells).filter(({ schema, name }) => `${schema}.${name}` in result.tables)
  const whole = { ...batch, whole: 'yes', from: null, until: null } as const
  const parts = [done.filter(({ name }) => !stale.has(name)), done.filter(({ name }) => stale.has(name))] as const
  const counts = new Map([
    ...(await countReplaced(warehouse, parts[0], batch)),
    ...(await countReplaced(warehouse, parts[1], whole)),
  ])
  const durationMs = Math.round(performance.now() - started)
  for (const [table, rows] of counts) emit({ type: 'rollup.replaced', table, rows, cells: batch.cells, durationMs })
  return { ...result, tables: { ...result.tables, ...Object.fromEntries(counts) } }
}

export function rawTable(warehouse: Session, source: CapturedSource): string {
  return spellingOf(warehouse).relation(source.schema, source.identifier)
}

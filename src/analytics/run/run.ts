/**
 * A rollup run (protocol 4 of the architecture): a lease with a token, one snapshot of the source, the cells that were marked since the
 * cursor's snapshot, their rows copied and replaced, the cursor moved with the last of them. A run that dies anywhere is repeated by the
 * next one without harm, since replacing a cell twice gives the same cell.
 */
import type { Session } from '../../engines/engine.ts'
import { acknowledge, acknowledgedToken, trimMarks } from './capture.ts'
import { claimOf, consumerOf, type Desk, type RollupOptions, withDesk, withWarehouse } from './desk.ts'
import { addLate, type Late, nothingLate, recordLate } from '../late.ts'
import { forgetFingerprints, type StoredCursor } from '../ledger.ts'
import { aroundRun, seedRun, seedsOf } from './around.ts'
import type { Batch } from './plan.ts'
import { prepare, type WholeReason, type Work } from './prepare.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey, type Transform } from '../project/project.ts'
import { writeQuarantine } from '../seal/seal-ledger.ts'
import { publishSeals, tellQuarantined, withChanges } from '../seal/sealed.ts'
import { applyBatch, type Stage } from './step.ts'
import { buildUncaptured, uncapturedTransforms } from './uncaptured.ts'

export type { Database, RollupOptions } from './desk.ts'
export type { WholeReason } from './prepare.ts'

export interface RollupReport {
  readonly runId: string
  readonly status: 'succeeded' | 'nothing-to-do'
  readonly durationMs: number
  readonly sources: readonly SourceReport[]
  /** Rows of the files that were loaded because they changed. */
  readonly seeds: Readonly<Record<string, number>>
  /** Rows of the tables that read no captured source, which each run makes as dbt would. */
  readonly others: Readonly<Record<string, number>>
  /** How many views were made beside them. */
  readonly views: number
  /** The warehouse, safe to print. */
  readonly warehouse: string
  /** What the project says that nothing here acts on. */
  readonly notes: readonly string[]
}

export interface SourceReport {
  readonly source: string
  readonly mode: 'changes' | 'whole'
  /** Why everything was loaded; null for changes. */
  readonly reason: WholeReason | null
  readonly snapshot: string
  readonly marks: number
  readonly cells: number
  readonly rows: number
  readonly batches: number
  /** Rows that were written to each transform's table. */
  readonly tables: Readonly<Record<string, number>>
  /** What came after its hour had been rolled up. */
  readonly late: Late
  /** Sealed cells in which something came too late: they stay as they are until somebody decides. */
  readonly quarantined: number
  /** Marks that every consumer has passed and that were deleted. */
  readonly trimmed: number
}

/**
 * Brings the warehouse to a snapshot of each source. Throws LOCK_TIMEOUT, LEASE_LOST, WAREHOUSE_BUSY, WAREHOUSE_FAILED, SOURCE_RESTORED,
 * TRANSFORM_INVALID, PERMISSION_DENIED, DIFFERENCES_FOUND; nothing of the batch at hand is kept then, and the cursor has not moved.
 */
export async function runRollup(project: Project, options: RollupOptions): Promise<RollupReport> {
  const started = performance.now()
  const refresh = options.mode === 'rebase' ? 'full' : 'as needed'
  const { before, after } = uncapturedTransforms(project, options.select)
  const build = (some: readonly Transform[]) =>
    withWarehouse(options, session => buildUncaptured(project, some, session, { ...options, refresh }))
  const made = [...seedsOf(project, options), ...before, ...after]
  await aroundRun(project, options, 'before', made)
  const seeds = await seedRun(project, options, refresh)
  const first = before.length === 0 ? {} : await build(before)
  const sources: SourceReport[] = []
  for (const source of capturedSources(project)) sources.push(await rollUp(project, source, options))
  const last = after.length === 0 ? {} : await build(after)
  await aroundRun(project, options, 'after', made)
  const idle =
    before.length + after.length === 0 &&
    Object.keys(seeds).length === 0 &&
    sources.every(report => report.marks === 0 && report.mode === 'changes' && Object.keys(report.tables).length === 0)
  return {
    runId: options.runId,
    status: idle ? 'nothing-to-do' : 'succeeded',
    durationMs: Math.round(performance.now() - started),
    sources,
    seeds,
    others: { ...first, ...last },
    views: [...before, ...after].filter(({ materialized }) => materialized === 'view').length,
    warehouse: options.warehouse.engine.describe(options.warehouse.url),
    notes: project.notes,
  }
}

async function rollUp(project: Project, source: CapturedSource, options: RollupOptions): Promise<SourceReport> {
  return withDesk(source, options, async desk =>
    withWarehouse(options, async warehouse => {
      const started = performance.now()
      const work = await prepare(project, source, options, desk, warehouse)
      const { marks, reason, batches } = work
      const cells = batches.reduce((sum, batch) => sum + cellsOf(batch), 0)
      options.emit({
        type: 'rollup.captured',
        source: sourceKey(source),
        marks,
        cells,
        rebased: reason !== null,
        durationMs: Math.round(performance.now() - started),
      })
      await options.onStage?.('captured', sourceKey(source))
      const done = await applyAll(source, options, desk, warehouse, work, started)
      if (done.moved) tellQuarantined(options.emit, source, work.quarantined ?? [])
      // Before the marks go, since what may be retired hangs on both.
      await publishSeals(desk.control, source, consumerOf(options), {
        ...work.sealing,
        quarantine: withChanges(work.sealing.quarantine, work.quarantined ?? []),
      })
      const trimmed = await finish(source, options, desk, done.moved ? 'moved' : work.stored)
      return {
        source: sourceKey(source),
        mode: reason === null ? 'changes' : 'whole',
        reason,
        snapshot: desk.snapshot,
        marks,
        cells: done.cells,
        rows: done.rows,
        batches: batches.length,
        tables: done.tables,
        late: done.late,
        quarantined: (work.quarantined ?? []).filter(({ state }) => state === 'open').length,
        trimmed,
      }
    }),
  )
}

interface Done {
  readonly rows: number
  readonly cells: number
  readonly tables: Readonly<Record<string, number>>
  readonly late: Late
  readonly moved: boolean
}

async function applyAll(
  source: CapturedSource,
  options: RollupOptions,
  desk: Desk,
  warehouse: Session,
  work: Work,
  started: number,
): Promise<Done> {
  // Nothing changed and nothing is stale: the warehouse stays untouched, byte for byte.
  if (work.batches.length === 0 && work.stale.size === 0 && work.quarantined === null)
    return { rows: 0, cells: 0, tables: {}, late: nothingLate, moved: false }
  const batches = work.batches.length > 0 ? work.batches : [emptyBatch]
  const total = batches.reduce((sum, batch) => sum + batch.rows + (batch.before?.rows ?? 0), 0)
  const tables: Record<string, number> = {}
  let rows = 0
  let cells = 0
  let late = nothingLate
  const context = {
    source,
    transforms: work.transforms,
    stale: work.stale,
    names: work.names,
    reader: desk.reader,
    warehouse,
    readAt: desk.readAt,
    emit: options.emit,
    onStage: async (stage: Stage) => options.onStage?.(stage, sourceKey(source)),
    claim: claimOf(source, options, desk, work.fresh),
    movedAt: work.stored?.movedAt ?? null,
  }
  for (const [index, batch] of batches.entries()) {
    desk.lease.assertHeld()
    options.signal?.throwIfAborted()
    const closing = {
      cursor: work.part === 'all' ? { ...desk.identity, snapshot: desk.snapshot, token: desk.lease.token } : null,
      fingerprints: work.fingerprints,
      run: (loaded: number) => ({
        runId: options.runId,
        source: sourceKey(source),
        token: desk.lease.token,
        mode: work.part === 'selected' ? 'selected' : (work.reason ?? 'changes'),
        marks: work.marks,
        cells: cells + cellsOf(batch),
        rows: rows + loaded,
        durationMs: Math.round(performance.now() - started),
      }),
      also: async (session: Session) => {
        await forgetFingerprints(session, work.forgotten)
        await writeQuarantine(session, sourceKey(source), work.quarantined ?? [])
      },
    }
    const result = await applyBatch(context, batch, index === batches.length - 1 ? closing : null)
    late = addLate(late, result.late)
    rows += result.rows
    cells += batch.whole === 'yes' ? result.cells : cellsOf(batch)
    for (const [table, count] of Object.entries(result.tables)) tables[table] = (tables[table] ?? 0) + count
    options.emit({ type: 'progress', task: `rollup ${sourceKey(source)}`, done: rows, total, unit: 'rows' })
  }
  await recordLate(warehouse, sourceKey(source), options.runId, late)
  return { rows, cells, tables, late, moved: work.part === 'all' }
}

function cellsOf({ cells, before }: Batch): number {
  return cells + (before?.cells ?? 0)
}

const emptyBatch: Batch = { from: null, until: null, hours: [], whole: 'no', rows: 0, cells: 0 }

/**
 * After the warehouse has committed: tells the source, and deletes the marks that nobody needs any more. A run that found nothing to do
 * makes up for one that died before it could tell.
 */
async function finish(
  source: CapturedSource,
  options: RollupOptions,
  desk: Desk,
  state: 'moved' | StoredCursor | null,
): Promise<number> {
  const key = sourceKey(source)
  const cursor = state === 'moved' ? { snapshot: desk.snapshot, token: desk.lease.token } : state
  if (!cursor?.snapshot) return 0
  if (state === 'moved' || (await acknowledgedToken(desk.control, key, consumerOf(options))) !== cursor.token) {
    await acknowledge(desk.control, key, consumerOf(options), cursor.snapshot, cursor.token)
    await options.onStage?.('acknowledged', key)
  }
  return trimMarks(desk.control, key, source)
}

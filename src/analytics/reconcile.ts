/**
 * Proves the warehouse, cell by cell, at one snapshot of the source: raw rows against the source by count, sums and hash, and what each
 * transform has stored against what it answers from its inputs. Cells with marks that no run has taken yet are pending, not different.
 * What differs is repaired by marking it, as if the source had changed there, and running.
 */
import { withTransaction } from '../engines/brackets.ts'
import { allHours, markCells, pendingMarks } from './capture.ts'
import { batchOfCells, listCells, rawCondition } from './cells.ts'
import { compareDigests, type Difference, keyOf } from './digest.ts'
import { namesOf } from './compile.ts'
import { type Desk, refuseRestored, type RollupOptions, withDesk, withWarehouse } from './desk.ts'
import { descendantsOf } from './graph.ts'
import { readCursor, recordReconciliation, requireTable } from './ledger.ts'
import { compareCells, hasCells, prepareTable } from './materialize.ts'
import { type Batch, defaultLimits, planBatches } from './plan.ts'
import { storeProof } from './proof.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from './project.ts'
import { runRollup } from './run.ts'
import { sourceCells, warehouseCells } from './transfer.ts'

export interface ReconcileOptions extends Omit<RollupOptions, 'mode'> {
  /** `report` changes nothing but the history of reconciliations. Default `repair`. */
  readonly action?: 'repair' | 'report'
}

export interface ReconciliationReport {
  readonly runId: string
  /** `different` when differences are left; `not-loaded` when a source has never been rolled up. */
  readonly status: 'equal' | 'repaired' | 'different' | 'not-loaded'
  readonly durationMs: number
  readonly sources: readonly SourceReconciliation[]
}

export interface SourceReconciliation {
  readonly source: string
  readonly loaded: 'yes' | 'no'
  readonly snapshot: string
  /** Cells of the source and of each table that were compared. */
  readonly cells: number
  /** Rows of the source in them. */
  readonly rows: number
  /** Cells whose changes the next run takes. */
  readonly pending: number
  /** Cells that differed when they were found. */
  readonly different: number
  readonly repaired: number
  /** Evidence: the first thousand, as found. */
  readonly differences: readonly Difference[]
}

/** Compares every source with the warehouse, and repairs. Throws what `runRollup` throws. */
export async function reconcile(project: Project, options: ReconcileOptions): Promise<ReconciliationReport> {
  const started = performance.now()
  const sources: SourceReconciliation[] = []
  for (const source of capturedSources(project)) sources.push(await reconcileSource(project, source, options))
  return {
    runId: options.runId,
    status: statusOf(sources),
    durationMs: Math.round(performance.now() - started),
    sources,
  }
}

const evidenceLimit = 1000

async function reconcileSource(
  project: Project,
  source: CapturedSource,
  options: ReconcileOptions,
): Promise<SourceReconciliation> {
  const started = performance.now()
  const found = await inspect(project, source, options, 'everything')
  let repaired = 0
  if (found.different > 0 && options.action !== 'report') {
    await repair(project, source, options, found.found)
    const left = await inspect(project, source, options, found.found)
    repaired = found.different - left.different
  }
  const durationMs = Math.round(performance.now() - started)
  const { found: _, ...report } = { ...found, repaired }
  await withWarehouse(options, warehouse =>
    recordReconciliation(warehouse, {
      runId: options.runId,
      source: report.source,
      snapshot: report.snapshot,
      cells: report.cells,
      pending: report.pending,
      different: report.different,
      repaired,
      differences: JSON.stringify(report.differences),
      durationMs,
    }),
  )
  options.emit({
    type: 'reconciliation.finished',
    source: report.source,
    cells: report.cells,
    different: report.different,
    repaired,
    durationMs,
  })
  return report
}

interface Inspection extends SourceReconciliation {
  /** All of them, which the report bounds. */
  readonly found: readonly Difference[]
}

/** Compares everything, or the cells of differences that were repaired. */
async function inspect(
  project: Project,
  source: CapturedSource,
  options: ReconcileOptions,
  scope: 'everything' | readonly Difference[],
): Promise<Inspection> {
  return withDesk(source, options, desk =>
    withWarehouse(options, async warehouse => {
      await requireTable(warehouse, source.schema, source.identifier)
      const names = namesOf(project)
      const transforms = descendantsOf(project.transforms, sourceKey(source))
      for (const transform of transforms) await prepareTable(warehouse, transform, names)
      const stored = await readCursor(warehouse, sourceKey(source))
      await refuseRestored(desk, stored)
      const base = { source: sourceKey(source), snapshot: desk.snapshot, repaired: 0 }
      if (!stored?.snapshot)
        return { ...base, loaded: 'no', cells: 0, rows: 0, pending: 0, different: 0, differences: [], found: [] }
      const pending = await pendingKeys(source, desk, stored.snapshot)
      const batches = scope === 'everything' ? await everything(source, desk) : planned(scope)
      const found = new Map<string, Difference>()
      let cells = 0
      let rows = 0
      for (const batch of batches) {
        const compared = await withTransaction(warehouse, async () => {
          const listed = await listCells(warehouse, batch)
          const expected = await sourceCells(desk.reader, warehouse, source, batch)
          const present = await warehouseCells(warehouse, source, rawCondition(listed))
          const raw = compareDigests(`${source.schema}.${source.identifier}`, expected, present)
          const different = raw.filter(
            difference => !pending.has(keyOf({ hour: difference.bucket, shard: difference.shard })),
          )
          for (const transform of transforms)
            if (hasCells(transform)) different.push(...(await compareCells(warehouse, transform, names, listed)))
          const unequal = new Set(raw.map(({ bucket, shard }) => keyOf({ hour: bucket, shard })))
          const cells = expected.filter(cell => !unequal.has(keyOf(cell)))
          await storeProof(warehouse, source, listed, { runId: options.runId, readAt: desk.readAt, cells })
          return { expected, different }
        })
        cells += compared.expected.length
        rows += compared.expected.reduce((sum, cell) => sum + Number(cell.rows), 0)
        for (const difference of compared.different)
          found.set(`${difference.table} ${difference.bucket} ${difference.shard}`, difference)
        options.emit({
          type: 'progress',
          task: `reconcile ${sourceKey(source)}`,
          done: cells,
          total: null,
          unit: 'cells',
        })
      }
      const all = [...found.values()]
      return {
        ...base,
        loaded: 'yes',
        cells,
        rows,
        pending: pending.size,
        different: all.length,
        differences: all.slice(0, evidenceLimit),
        found: all,
      }
    }),
  )
}

/** Marks what differs and runs. A bucket that no mark can name, since it is no hour, is only mended by loading everything. */
async function repair(
  project: Project,
  source: CapturedSource,
  options: ReconcileOptions,
  differences: readonly Difference[],
): Promise<void> {
  const cells = differences.map(cellOf)
  const nameable = cells.every(
    ({ hour, shard }) => hour.slice(13) === ':00:00.000000Z' && shard >= 0 && shard < source.capture.shards,
  )
  if (nameable) await withDesk(source, options, desk => markCells(desk.control, source, cells))
  const { action: _, ...run } = options
  await runRollup(project, { ...run, mode: nameable ? 'changes' : 'rebase' })
}

/** The cell of the source whose replacement recomputes this one: of a day, its first hour. */
function cellOf({ bucket, shard }: Difference): { readonly hour: string; readonly shard: number } {
  return { hour: bucket.length === 10 ? `${bucket}T00:00:00.000000Z` : bucket, shard }
}

function planned(differences: readonly Difference[]): Batch[] {
  const cells = new Map(differences.map(difference => [keyOf(cellOf(difference)), cellOf(difference)]))
  const { hours } = batchOfCells([...cells.values()])
  return planBatches(hours, 'no', { ...defaultLimits.no, shards: 1 })
}

async function everything(source: CapturedSource, desk: Desk): Promise<Batch[]> {
  return planBatches(await allHours(desk.reader, source), 'yes', {
    ...defaultLimits.yes,
    shards: source.capture.shards,
  })
}

async function pendingKeys(source: CapturedSource, desk: Desk, cursor: string): Promise<ReadonlySet<string>> {
  const { hours } = await pendingMarks(desk.reader, source, cursor)
  return new Set(
    hours.flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => keyOf({ hour, shard })))),
  )
}

function statusOf(sources: readonly SourceReconciliation[]): ReconciliationReport['status'] {
  if (sources.some(source => source.different > source.repaired)) return 'different'
  if (sources.some(source => source.loaded === 'no')) return 'not-loaded'
  return sources.some(source => source.different > 0) ? 'repaired' : 'equal'
}

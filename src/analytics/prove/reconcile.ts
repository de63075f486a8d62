/**
 * Proves the warehouse, cell by cell, and repairs what differs: by marking it, as if the source had changed there, and running; what is sealed
 * from its rows, or from a source that still says what the seal does. All of it, or in rotation so many days that every day is proved in time.
 */
import { markCells } from '../run/capture.ts'
import { batchOfCells } from '../run/cells.ts'
import { type RollupOptions, withDesk, withWarehouse } from '../run/desk.ts'
import type { Difference } from './digest.ts'
import { cellOf, type Inspection, inspect, type Scope } from './inspect.ts'
import { readCursor, recordReconciliation } from '../ledger.ts'
import { type ChangedHour, defaultLimits, planBatches } from '../run/plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { openCells } from '../seal/quarantine.ts'
import { deriveSealed, rewriteSealed } from '../seal/reopen.ts'
import { nextStretches, recordRotation } from './rotation.ts'
import { runRollup } from '../run/run.ts'
import { readHorizon } from '../seal/seal-ledger.ts'
import { readSealing } from '../seal/sealed.ts'

export interface ReconcileOptions extends Omit<RollupOptions, 'mode'> {
  /** `report` changes nothing but the history of reconciliations. Default `repair`. */
  readonly action?: 'repair' | 'report'
  /** Prove as many days as it takes so that each is proved once in that many days; default everything. */
  readonly everyDays?: number | undefined
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
  const found = await firstLook(project, source, options)
  const different = found.found.length
  let repaired = 0
  if (different > 0 && options.action !== 'report') {
    await repair(project, source, options, found.found)
    const left = await inspect(project, source, options, { cells: found.found })
    repaired = different - left.found.length
  }
  const durationMs = Math.round(performance.now() - started)
  const { found: all, ...rest } = found
  const report = { source: sourceKey(source), ...rest, different, repaired, differences: all.slice(0, evidenceLimit) }
  await withWarehouse(options, warehouse =>
    recordReconciliation(warehouse, {
      ...report,
      runId: options.runId,
      differences: JSON.stringify(report.differences),
      durationMs,
    }),
  )
  const { cells } = report
  options.emit({ type: 'reconciliation.finished', source: report.source, cells, different, repaired, durationMs })
  return report
}

async function firstLook(project: Project, source: CapturedSource, options: ReconcileOptions): Promise<Inspection> {
  const { everyDays } = options
  if (everyDays === undefined) return inspect(project, source, options, 'everything')
  return inspect(
    project,
    source,
    options,
    async (warehouse, readAt): Promise<Scope> => ({
      stretches: await nextStretches(warehouse, source, readAt, everyDays),
    }),
    (warehouse, batch, readAt) => recordRotation(warehouse, source, batch, readAt, options.runId),
  )
}

/** Marks what differs and runs. A bucket that no mark can name, since it is no hour, is only mended by loading everything. */
async function repair(
  project: Project,
  source: CapturedSource,
  options: ReconcileOptions,
  differences: readonly Difference[],
): Promise<void> {
  const { action: _, everyDays: __, ...run } = options
  const horizon = await withWarehouse(options, warehouse => readHorizon(warehouse, sourceKey(source)))
  const isSealed = (one: Difference) => horizon !== null && cellOf(one).hour < horizon.sealedBefore
  await repairSealed(project, source, options, differences.filter(isSealed))
  const cells = differences.filter(one => !isSealed(one)).map(cellOf)
  if (cells.length === 0) return
  const nameable = cells.every(
    ({ hour, shard }) => hour.slice(13) === ':00:00.000000Z' && shard >= 0 && shard < source.capture.shards,
  )
  if (nameable) await withDesk(source, options, desk => markCells(desk.control, source, cells))
  await runRollup(project, { ...run, mode: nameable ? 'changes' : 'rebase' })
}

/**
 * Rollups of sealed hours are made anew from the rows that the warehouse keeps. Rows come back from the source where it still has what was
 * sealed; else they are left as they are, for whoever restores the warehouse.
 */
async function repairSealed(
  project: Project,
  source: CapturedSource,
  options: ReconcileOptions,
  differences: readonly Difference[],
): Promise<void> {
  if (differences.length === 0) return
  const raw = `${source.schema}.${source.identifier}`
  await withDesk(source, options, desk =>
    withWarehouse(options, async warehouse => {
      if (!(await readCursor(warehouse, sourceKey(source)))?.snapshot) return
      const sealing = await readSealing(source, desk.reader, warehouse)
      const context = await openCells({
        project,
        source,
        options: { ...options, signer: null },
        desk,
        warehouse,
        sealing,
      })
      const { retiredBefore } = sealing
      const rows = differences.filter(({ table }) => table === raw)
      const live = rows.filter(({ bucket }) => retiredBefore === null || bucket >= retiredBefore)
      // Each hour by itself, so that one which the source has changed since does not keep the others from coming back.
      for (const batch of hoursOf(live).flatMap(hour => planned(source, [hour])))
        await rewriteSealed(context, batch, { how: 'restore' }, []).catch(ignoreBroken)
      for (const batch of planned(source, hoursOf(differences))) await deriveSealed(context, batch)
    }),
  )
}

function ignoreBroken(error: unknown): void {
  if (error instanceof Error && 'code' in error && error.code === 'SEAL_BROKEN') return
  throw error
}

function hoursOf(differences: readonly Difference[]): readonly ChangedHour[] {
  const cells = new Map(differences.map(one => [`${cellOf(one).hour} ${one.shard}`, cellOf(one)]))
  return batchOfCells([...cells.values()]).hours
}

function planned(source: CapturedSource, hours: readonly ChangedHour[]) {
  return planBatches(hours, 'no', { ...defaultLimits.no, shards: source.capture.shards })
}

function statusOf(sources: readonly SourceReconciliation[]): ReconciliationReport['status'] {
  if (sources.some(source => source.different > source.repaired)) return 'different'
  if (sources.some(source => source.loaded === 'no')) return 'not-loaded'
  return sources.some(source => source.different > 0) ? 'repaired' : 'equal'
}

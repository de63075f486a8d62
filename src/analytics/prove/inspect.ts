/**
 * Comparing, at one snapshot of the source: raw rows with the source, sealed ones with their seals, and what each transform has stored with
 * what it answers from its inputs. Cells with marks that no run has taken yet are pending, not different.
 */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { type CellDigest, pendingMarks } from '../run/capture.ts'
import { type Backfill, readBackfill, remaining } from '../run/backfill-ledger.ts'
import { batchOfCells, listCells, type ListedBatch, rawCondition, spellingOf } from '../run/cells.ts'
import { namesOf } from '../project/compile.ts'
import { consumerOf, type Desk, refuseRestored, type RollupOptions, withDesk, withWarehouse } from '../run/desk.ts'
import { compareDigests, type Difference, keyOf } from './digest.ts'
import { allHours } from '../run/estimate.ts'
import { descendantsOf } from '../project/graph.ts'
import { readCursor, requireTable } from '../ledger.ts'
import { compareCells, hasCells, prepareTable } from '../run/materialize.ts'
import { type Batch, defaultLimits, planBatches, planDays } from '../run/plan.ts'
import { storeProof } from './proof.ts'
import { type CapturedSource, type Project, sourceKey, type Transform } from '../project/project.ts'
import { presentSeals, readSeals, sealedDigests, writeQuarantine } from '../seal/seal-ledger.ts'
import {
  examineSealed,
  publishSeals,
  readSealing,
  type Sealing,
  type Stretch,
  stretchBatch,
  tellQuarantined,
  withChanges,
} from '../seal/sealed.ts'
import { rawTable } from '../run/step.ts'
import { foldSource, warehouseCells } from '../run/transfer.ts'

export interface Inspection {
  readonly loaded: 'yes' | 'no'
  readonly snapshot: string
  readonly cells: number
  readonly rows: number
  readonly pending: number
  readonly found: readonly Difference[]
}

/** Everything, stretches of time, or the cells of differences that were repaired. */
export type Scope =
  | 'everything'
  | { readonly stretches: readonly Stretch[] }
  | { readonly cells: readonly Difference[] }

/** Told of each stretch that was proved, within the transaction that proved it. */
type OnProved = (warehouse: Session, batch: Batch, readAt: string) => Promise<void>

export async function inspect(
  project: Project,
  source: CapturedSource,
  options: RollupOptions,
  chosen: Scope | ((warehouse: Session, readAt: string) => Promise<Scope>),
  onProved: OnProved = async () => undefined,
): Promise<Inspection> {
  return withDesk(source, options, desk =>
    withWarehouse(options, async warehouse => {
      await requireTable(warehouse, source.schema, source.identifier)
      const names = namesOf(project)
      const transforms = descendantsOf(project.transforms, sourceKey(source))
      for (const transform of transforms) await prepareTable(warehouse, transform, names)
      const stored = await readCursor(warehouse, sourceKey(source))
      await refuseRestored(desk, stored)
      if (!stored?.snapshot) return { loaded: 'no', snapshot: desk.snapshot, cells: 0, rows: 0, pending: 0, found: [] }
      const scope = typeof chosen === 'function' ? await chosen(warehouse, desk.readAt) : chosen
      const pending = await pendingKeys(source, desk, stored.snapshot)
      const coming = comingFrom(await readBackfill(warehouse, sourceKey(source)))
      const sealing = await readSealing(source, desk.reader, warehouse)
      const context = { project, source, transforms, options, desk, warehouse, sealing, coming }
      const found = new Map<string, Difference>()
      let cells = 0
      let rows = 0
      for (const part of await partsOf(context, scope)) {
        options.signal?.throwIfAborted()
        desk.lease.assertHeld()
        const { expected, differences } = await withTransaction(warehouse, async () => {
          const compared = await comparePart(context, part, pending)
          if (compared.differences.length === 0) await onProved(warehouse, part.batch, desk.readAt)
          return compared
        })
        cells += expected.length
        rows += expected.reduce((sum, cell) => sum + Number(cell.rows), 0)
        for (const one of differences) found.set(`${one.table} ${one.bucket} ${one.shard}`, one)
        const task = `reconcile ${sourceKey(source)}`
        options.emit({ type: 'progress', task, done: cells, total: null, unit: 'cells' })
      }
      return { loaded: 'yes', snapshot: desk.snapshot, cells, rows, pending: pending.size, found: [...found.values()] }
    }),
  )
}

/** The cell of the source whose replacement recomputes this one: of a day, its first hour. */
export function cellOf({ bucket, shard }: Difference): { readonly hour: string; readonly shard: number } {
  return { hour: bucket.length === 10 ? `${bucket}T00:00:00.000000Z` : bucket, shard }
}

interface Context {
  readonly project: Project
  readonly source: CapturedSource
  readonly transforms: readonly Transform[]
  readonly options: RollupOptions
  readonly desk: Desk
  readonly warehouse: Session
  readonly sealing: Sealing
  /** True of hours that a backfill will load for the first time. */
  readonly coming: (hour: string) => boolean
}

/** Cells that are held against the source, or against their seals. */
interface Part {
  readonly batch: Batch
  readonly against: 'source' | 'seals'
}

async function partsOf(context: Context, scope: Scope): Promise<Part[]> {
  const { source, desk, sealing } = context
  const sealedBefore = sealing.horizon?.sealedBefore ?? null
  const isSealed = (hour: string) => sealedBefore !== null && hour < sealedBefore
  if (scope === 'everything') {
    const hours = (await allHours(desk.reader, source)).filter(({ hour }) => !isSealed(hour))
    const limits = { ...defaultLimits.yes, shards: source.capture.shards }
    const live = planBatches(hours, 'yes', limits, sealedBefore).map(batch => ({ batch, against: 'source' as const }))
    if (sealedBefore === null) return live
    await quarantine(context, 'everything')
    return [...(await sealedDays(context, sealedBefore)), ...live]
  }
  if ('stretches' in scope) {
    const parts = scope.stretches.flatMap(stretch => cutAt(stretch, sealedBefore))
    for (const { batch, against } of parts) if (against === 'seals') await quarantine(context, batch)
    return parts
  }
  const cells = [...new Map(scope.cells.map(one => [keyOf(cellOf(one)), cellOf(one)])).values()]
  const planned = (chosen: typeof cells, against: Part['against']) =>
    planBatches(batchOfCells(chosen).hours, 'no', { ...defaultLimits.no, shards: 1 }).map(batch => ({ batch, against }))
  return [
    ...planned(
      cells.filter(({ hour }) => isSealed(hour)),
      'seals',
    ),
    ...planned(
      cells.filter(({ hour }) => !isSealed(hour)),
      'source',
    ),
  ]
}

function cutAt({ from, until }: Stretch, sealedBefore: string | null): Part[] {
  const live = (stretch: Stretch): Part => ({ batch: stretchBatch(stretch), against: 'source' })
  const sealed = (stretch: Stretch): Part => ({ batch: stretchBatch(stretch), against: 'seals' })
  if (sealedBefore === null || (from !== null && from >= sealedBefore)) return [live({ from, until })]
  if (until !== null && until <= sealedBefore) return [sealed({ from, until })]
  return [sealed({ from, until: sealedBefore }), live({ from: sealedBefore, until })]
}

/** What changed in the source of sealed cells without a mark is found here, and waits like the rest. */
async function quarantine(context: Context, scope: Stretch | 'everything'): Promise<void> {
  const { source, options, desk, warehouse, sealing } = context
  const changes = await examineSealed(source, desk, warehouse, sealing, scope)
  if (changes.length === 0) return
  await withTransaction(warehouse, () => writeQuarantine(warehouse, sourceKey(source), changes))
  tellQuarantined(options.emit, source, changes)
  const state = { ...sealing, quarantine: withChanges(sealing.quarantine, changes) }
  await publishSeals(desk.control, source, consumerOf(options), state)
}

async function sealedDays({ source, warehouse }: Context, sealedBefore: string): Promise<Part[]> {
  const { moment } = spellingOf(warehouse)
  const { rows } = await warehouse.query<{ hour: string; row_count: string }>(
    `select bucket_hour as hour, count(*) as row_count from ${rawTable(warehouse, source)} as raw
     where raw.bucket_hour < ${moment(sealedBefore, 'after all')} group by bucket_hour`,
  )
  const hours = rows
    .filter(({ hour }) => /^\d{4}-/.test(hour))
    .map(row => ({ hour: row.hour, rows: Number(row.row_count) }))
  const batches = planDays(hours, defaultLimits.yes.rows)
  return batches.map((batch, index) => ({
    batch: index === batches.length - 1 ? { ...batch, until: sealedBefore } : batch,
    against: 'seals',
  }))
}

async function comparePart(
  { project, source, transforms, options, desk, warehouse, coming }: Context,
  { batch, against }: Part,
  pending: ReadonlySet<string>,
): Promise<{ expected: readonly CellDigest[]; differences: readonly Difference[] }> {
  const names = namesOf(project)
  const listed = await listCells(warehouse, batch)
  const { expected, present } =
    against === 'source'
      ? await liveCells(source, desk, warehouse, listed)
      : await sealedCells(source, warehouse, listed)
  const raw = compareDigests(`${source.schema}.${source.identifier}`, expected, present)
  const differences = raw.filter(
    ({ bucket, shard }) => against === 'seals' || !(pending.has(keyOf({ hour: bucket, shard })) || coming(bucket)),
  )
  for (const transform of transforms)
    if (hasCells(transform)) differences.push(...(await compareCells(warehouse, transform, names, listed)))
  const unequal = new Set(raw.map(({ bucket, shard }) => keyOf({ hour: bucket, shard })))
  const cells = expected.filter(cell => !unequal.has(keyOf(cell)))
  await storeProof(warehouse, source, listed, { runId: options.runId, readAt: desk.readAt, cells })
  return { expected, differences }
}

async function liveCells(source: CapturedSource, { reader }: Desk, warehouse: Session, listed: ListedBatch) {
  const { cells: expected, texts } = await foldSource(reader, warehouse, source, listed)
  return { expected, present: await warehouseCells(warehouse, source, rawCondition(listed), texts) }
}

async function sealedCells(source: CapturedSource, warehouse: Session, listed: ListedBatch) {
  const seals = presentSeals(await readSeals(warehouse, sourceKey(source), listed))
  const named = new Set(
    listed.hours.flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => keyOf({ hour, shard })))),
  )
  const expected = sealedDigests(seals.values()).filter(cell => listed.whole === 'yes' || named.has(keyOf(cell)))
  const present = await warehouseCells(warehouse, source, rawCondition(listed))
  return { expected, present: present.map(cell => ({ ...cell, sums: [] })) }
}

function comingFrom(backfill: Backfill | null): (hour: string) => boolean {
  const left = backfill?.purpose === 'load' ? remaining(backfill) : null
  return hour => left !== null && hour >= left.from && hour < left.until
}

async function pendingKeys(source: CapturedSource, desk: Desk, cursor: string): Promise<ReadonlySet<string>> {
  const { hours } = await pendingMarks(desk.reader, source, cursor)
  return new Set(
    hours.flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => keyOf({ hour, shard })))),
  )
}

/**
 * Sealing: hours without pending marks, whose rows equal the source and whose rollups equal their recomputation, get a seal that says what
 * they hold. From then on no run rewrites them, and the source may drop their events. Days are sealed whole and in order, so that one time
 * tells what is sealed.
 */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { scaleOf, summedColumns } from '../prove/canonical.ts'
import { type CellDigest, pendingMarks } from '../run/capture.ts'
import { listCells, type ListedBatch, rawCondition, spellingOf } from '../run/cells.ts'
import { namesOf } from '../project/compile.ts'
import {
  claimOf,
  consumerOf,
  type Desk,
  refuseRestored,
  type RollupOptions,
  withDesk,
  withWarehouse,
} from '../run/desk.ts'
import { compareDigests, type Difference } from '../prove/digest.ts'
import { descendantsOf } from '../project/graph.ts'
import { claimTarget, readCursor } from '../ledger.ts'
import { compareCells, hasCells, prepareTable } from '../run/materialize.ts'
import { type Batch, planDays } from '../run/plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { appendSeals, type Horizon, type SealContent, type Signer } from './seal-ledger.ts'
import { publishSeals, readSealing } from './sealed.ts'
import { rawTable } from '../run/step.ts'
import { sourceCells, warehouseCells } from '../run/transfer.ts'

export interface SealOptions extends Omit<RollupOptions, 'mode'> {
  /** Seal everything before this UTC day, `YYYY-MM-DD`; default `afterDays` before today, by the clock of the source. */
  readonly before?: string | undefined
  /** Days for which late events are taken as they come. */
  readonly afterDays: number
  /** Null where no key is at hand: seals then have a digest, and no signature. */
  readonly signer: Signer | null
}

export interface SealReport {
  readonly runId: string
  /** `blocked` when days that were to be sealed could not be. */
  readonly status: 'sealed' | 'nothing-to-do' | 'blocked'
  readonly durationMs: number
  readonly sources: readonly SourceSeal[]
}

export interface SourceSeal {
  readonly source: string
  /** What was to be sealed, and what is; null when nothing is. */
  readonly wanted: string
  readonly sealedBefore: string | null
  readonly hours: number
  readonly rows: number
  readonly blocked: Blocked | null
}

/** Why it went no further. */
export interface Blocked {
  /** The first day that could not be sealed. */
  readonly day: string
  readonly reason: 'pending marks' | 'differences' | 'never rolled up' | 'no seals configured'
  readonly differences: readonly Difference[]
}

/** Throws what `runRollup` throws. Each stretch of days commits by itself, so that a run that dies is gone on with by the next. */
export async function sealBuckets(project: Project, options: SealOptions): Promise<SealReport> {
  const started = performance.now()
  const sources: SourceSeal[] = []
  for (const source of capturedSources(project)) sources.push(await sealSource(project, source, options))
  const moved = sources.some(({ hours }) => hours > 0)
  return {
    runId: options.runId,
    status: sources.some(({ blocked }) => blocked !== null) ? 'blocked' : moved ? 'sealed' : 'nothing-to-do',
    durationMs: Math.round(performance.now() - started),
    sources,
  }
}

/** Rows of the source that are compared at once. */
const rowsAtOnce = 8_000_000

async function sealSource(project: Project, source: CapturedSource, options: SealOptions): Promise<SourceSeal> {
  const started = performance.now()
  const key = sourceKey(source)
  return withDesk(source, options, desk =>
    withWarehouse(options, async warehouse => {
      const wanted = midnight(options.before ?? daysBefore(desk.readAt, options.afterDays))
      refuseFuture(wanted, desk.readAt)
      const report = { source: key, wanted, hours: 0, rows: 0 }
      const block = (reason: Blocked['reason'], day: string, differences: readonly Difference[] = []) => ({
        reason,
        day,
        differences,
      })
      const sealing = await readSealing(source, desk.reader, warehouse)
      const sealedBefore = sealing.horizon?.sealedBefore ?? null
      if (source.capture.seals === null)
        return { ...report, sealedBefore, blocked: block('no seals configured', wanted) }
      const stored = await readCursor(warehouse, key)
      await refuseRestored(desk, stored)
      if (!stored?.snapshot) return { ...report, sealedBefore, blocked: block('never rolled up', wanted) }
      if (sealedBefore !== null && sealedBefore >= wanted) {
        await publishSeals(desk.control, source, consumerOf(options), sealing)
        return { ...report, sealedBefore, blocked: null }
      }
      const pending = (await pendingMarks(desk.reader, source, stored.snapshot)).hours
        .map(({ hour }) => hour)
        .find(hour => hour < wanted && (sealedBefore === null || hour >= sealedBefore))
      const until = pending === undefined ? wanted : midnight(pending)
      const done = await sealUntil(project, source, options, { desk, warehouse, horizon: sealing.horizon, until })
      await publishSeals(desk.control, source, consumerOf(options), { ...sealing, horizon: done.horizon })
      if (done.hours > 0)
        options.emit({
          type: 'rollup.sealed',
          source: key,
          sealedBefore: done.horizon?.sealedBefore ?? '',
          hours: done.hours,
          rows: done.rows,
          durationMs: Math.round(performance.now() - started),
        })
      const stopped = done.blocked ?? (pending === undefined ? null : block('pending marks', until))
      return {
        ...report,
        hours: done.hours,
        rows: done.rows,
        sealedBefore: done.horizon?.sealedBefore ?? null,
        blocked: stopped,
      }
    }),
  )
}

interface Sitting {
  readonly desk: Desk
  readonly warehouse: Session
  readonly horizon: Horizon | null
  readonly until: string
}

interface Sealed {
  readonly horizon: Horizon | null
  readonly hours: number
  readonly rows: number
  readonly blocked: Blocked | null
}

async function sealUntil(
  project: Project,
  source: CapturedSource,
  options: SealOptions,
  sitting: Sitting,
): Promise<Sealed> {
  const { desk, warehouse, until } = sitting
  const names = namesOf(project)
  const transforms = descendantsOf(project.transforms, sourceKey(source)).filter(hasCells)
  for (const transform of transforms) await prepareTable(warehouse, transform, names)
  let { horizon } = sitting
  let hours = 0
  let rows = 0
  for (const batch of await stretchesBefore(warehouse, source, horizon, until)) {
    desk.lease.assertHeld()
    options.signal?.throwIfAborted()
    const step = await withTransaction(warehouse, async () => {
      await claimTarget(warehouse, claimOf(source, options, desk))
      const listed = await listCells(warehouse, batch)
      const expected = await sourceCells(desk.reader, warehouse, source, batch)
      const present = await warehouseCells(warehouse, source, rawCondition(listed))
      const differences = compareDigests(`${source.schema}.${source.identifier}`, expected, present)
      for (const transform of transforms) differences.push(...(await compareCells(warehouse, transform, names, listed)))
      const firstBad = differences.map(({ bucket }) => bucket.slice(0, 10)).sort()[0]
      const proved = firstBad === undefined ? present : present.filter(({ hour }) => hour < midnight(firstBad))
      const end = firstBad === undefined ? (batch.until ?? until) : midnight(firstBad)
      const begun = horizon?.sealedBefore ?? ''
      const contents = await contentsOf(source, options, desk, warehouse, { listed, cells: proved, reason: 'sealed' })
      const next =
        end > begun
          ? await appendSeals(
              warehouse,
              sourceKey(source),
              horizon,
              { sealedBefore: end, contents, runId: options.runId },
              options.signer,
            )
          : horizon
      return { next, contents, differences, firstBad }
    })
    horizon = step.next
    hours += step.contents.length
    rows += step.contents.reduce((sum, content) => sum + Number(content.rows), 0)
    options.emit({ type: 'progress', task: `seal ${sourceKey(source)}`, done: hours, total: null, unit: 'hours' })
    if (step.firstBad !== undefined) {
      const differences = step.differences.slice(0, 1000)
      return { horizon, hours, rows, blocked: { day: midnight(step.firstBad), reason: 'differences', differences } }
    }
  }
  return { horizon, hours, rows, blocked: null }
}

/** What the seals of these cells' hours say. The sums are those of the rows that were just proved. */
export async function contentsOf(
  source: CapturedSource,
  options: Pick<RollupOptions, 'runId' | 'owner'>,
  desk: Pick<Desk, 'snapshot' | 'readAt'>,
  warehouse: Session,
  proved: {
    readonly listed: ListedBatch
    readonly cells: readonly CellDigest[]
    readonly reason: SealContent['reason']
  },
): Promise<SealContent[]> {
  const byHour = new Map<string, CellDigest[]>()
  for (const cell of proved.cells) byHour.set(cell.hour, [...(byHour.get(cell.hour) ?? []), cell])
  const sums = await hourSums(source, warehouse, rawCondition(proved.listed), byHour)
  return [...byHour]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([hour, cells]) => ({
      hour,
      reason: proved.reason,
      rows: cells.reduce((sum, cell) => sum + BigInt(cell.rows), 0n).toString(),
      sums: sums.get(hour) ?? [],
      cells: cells.sort((a, b) => a.shard - b.shard).map(({ shard, rows, hash }) => [shard, rows, hash] as const),
      snapshot: desk.snapshot,
      sealedBy: options.owner,
      sealedAt: desk.readAt,
      runId: options.runId,
    }))
}

/** Sums of each hour: out of the digests where they have them, else asked of the warehouse. */
async function hourSums(
  source: CapturedSource,
  warehouse: Session,
  condition: string,
  byHour: ReadonlyMap<string, readonly CellDigest[]>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const columns = summedColumns(source.columns)
  if (spellingOf(warehouse).deferred) {
    const total = (cells: readonly CellDigest[], index: number) =>
      cells.reduce((sum, cell) => sum + unscaled(cell.sums[index] ?? '0', scaleOf(columns[index]?.type ?? '')), 0n)
    return new Map(
      [...byHour].map(([hour, cells]) => [
        hour,
        columns.map(({ type }, index) => scaled(total(cells, index), scaleOf(type))),
      ]),
    )
  }
  const list = columns.map(
    ({ name }, index) => `, cast(sum(raw.${spellingOf(warehouse).name(name)}) as varchar) as sum_${index}`,
  )
  const { rows } = await warehouse.query<Record<string, string>>(
    `select raw.bucket_hour as hour${list.join('')} from ${rawTable(warehouse, source)} as raw where ${condition} group by raw.bucket_hour`,
  )
  return new Map(rows.map(row => [row['hour'] ?? '', columns.map((_, index) => row[`sum_${index}`] ?? '0')]))
}

/** Whole days of what is to be sealed; each stretch begins where the one before ended, so that empty days are sealed as well. */
async function stretchesBefore(
  warehouse: Session,
  source: CapturedSource,
  horizon: Horizon | null,
  until: string,
): Promise<Batch[]> {
  const { moment } = spellingOf(warehouse)
  const from = horizon?.sealedBefore ?? null
  if (from !== null && from >= until) return []
  const { rows } = await warehouse.query<{ hour: string; row_count: string }>(
    `select bucket_hour as hour, count(*) as row_count from ${rawTable(warehouse, source)} as raw
     where raw.bucket_hour >= ${moment(from, 'before all')} and raw.bucket_hour < ${moment(until, 'after all')} group by bucket_hour`,
  )
  const batches = planDays(
    rows.filter(({ hour }) => /^\d{4}-/.test(hour)).map(row => ({ hour: row.hour, rows: Number(row.row_count) })),
    rowsAtOnce,
  )
  return batches.map((batch, index) => ({
    ...batch,
    from: index === 0 ? from : batch.from,
    until: index === batches.length - 1 ? until : batch.until,
  }))
}

function refuseFuture(wanted: string, readAt: string): void {
  if (wanted <= readAt) return
  throw new PlinthError(
    'SEAL_REFUSED',
    `${wanted.slice(0, 10)} has not come yet, so what is before it cannot be sealed.`,
    {
      hint: 'Name a day of the past: plinth rollup seal --before YYYY-MM-DD.',
    },
  )
}

/** The start of the UTC day, as buckets are written. */
export function midnight(at: string): string {
  return `${at.slice(0, 10)}T00:00:00.000000Z`
}

function daysBefore(at: string, days: number): string {
  return new Date(Date.parse(at) - days * 86_400_000).toISOString()
}

function unscaled(text: string, scale: number): bigint {
  const negative = text.startsWith('-')
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const value = BigInt(whole + fraction.padEnd(scale, '0').slice(0, scale))
  return negative ? -value : value
}

function scaled(value: bigint, scale: number): string {
  if (scale === 0) return value.toString()
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

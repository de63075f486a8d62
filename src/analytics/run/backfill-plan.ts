/** What a backfill would take, found out before anything is replaced: which hours, how many rows and bytes, how long. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { type Backfill, type BackfillOrder, readBackfill, remaining } from './backfill-ledger.ts'
import { spellingOf } from './cells.ts'
import { type Desk, refuseRestored, type RollupOptions, withDesk, withWarehouse } from './desk.ts'
import { allHours } from './estimate.ts'
import { readCursor } from '../ledger.ts'
import { type ChangedHour, hourAfter } from './plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { readSealing, refuseForgotten } from '../seal/sealed.ts'
import { rawTable } from './step.ts'

export interface BackfillOptions extends Omit<RollupOptions, 'mode'> {
  /** Hours, ISO 8601 in UTC; null from the beginning, or until now. All null goes on with one that is under way, or begins with everything. */
  readonly from: string | null
  readonly until: string | null
  /** Default `newest`, or that of the one that is gone on with. */
  readonly order: BackfillOrder | null
  /** Rows in a second; 0 for no limit. */
  readonly rowsPerSecond: number
  /** Sessions at work on the source, above which it waits; 0 for no limit. */
  readonly loadMax: number
}

export interface BackfillPlan {
  readonly source: string
  readonly from: string
  readonly until: string
  readonly order: BackfillOrder
  readonly purpose: Backfill['purpose']
  /** Whether one that is under way is gone on with. */
  readonly resumed: 'yes' | 'no'
  readonly hours: number
  readonly cells: number
  /** About so many rows of the source, those that are left and all of them. */
  readonly rows: number
  readonly rowsTotal: number
  /** About so many bytes of the source's tables. */
  readonly sourceBytes: number
  /** Bytes that the warehouse would bill for the rows that it replaces; null where nobody bills by them. */
  readonly warehouseBytes: number | null
  /** By earlier runs, and no faster than the limit. */
  readonly rowsPerSecond: number
  readonly seconds: number
  /** Hours that are sealed are left as they are. */
  readonly sealedBefore: string | null
}

/** What it would take; changes nothing but the ledger of leases. Throws USAGE and what `runRollup` throws. */
export async function planBackfill(project: Project, options: BackfillOptions): Promise<BackfillPlan[]> {
  const plans: BackfillPlan[] = []
  for (const source of capturedSources(project))
    plans.push(
      await withDesk(source, options, desk =>
        withWarehouse(options, async warehouse => (await lookAhead(source, options, desk, warehouse)).plan),
      ),
    )
  return plans
}

export interface Ahead {
  readonly plan: BackfillPlan
  readonly hours: readonly ChangedHour[]
  readonly known: Backfill | null
}

/** Looks at both sides, and says what a backfill would do. Throws USAGE for what it would not. */
export async function lookAhead(
  source: CapturedSource,
  options: BackfillOptions,
  desk: Desk,
  warehouse: Session,
): Promise<Ahead> {
  const key = sourceKey(source)
  const stored = await readCursor(warehouse, key)
  await refuseRestored(desk, stored)
  const sealing = await readSealing(source, desk.reader, warehouse)
  if (!stored?.snapshot) refuseForgotten(sealing, source)
  const sealedBefore = sealing.horizon?.sealedBefore ?? null
  const all = (await allHours(desk.reader, source)).filter(({ hour }) => /^\d{4}-/.test(hour))
  const known = await readBackfill(warehouse, key)
  const goesOn = known?.state === 'running' && sameRange(known, options)
  if (known?.state === 'running' && !goesOn) throw underWay(known)
  const first = all[0]?.hour ?? thisHour(desk.readAt)
  const after = hourAfter([all.at(-1)?.hour ?? '', thisHour(desk.readAt)].sort().at(-1) ?? '')
  const from = goesOn ? known.from : latest(options.from ?? first, sealedBefore)
  const until = goesOn ? known.until : (options.until ?? after)
  const purpose = goesOn ? known.purpose : stored?.snapshot ? 'again' : 'load'
  if (purpose === 'load' && !goesOn) refusePart(all, from, until)
  const left = (goesOn ? remaining(known) : { from, until }) ?? { from, until: from }
  const within = (hour: string, range: { readonly from: string; readonly until: string }) =>
    hour >= range.from && hour < range.until
  const hours = all.filter(({ hour }) => within(hour, { from, until }))
  const rest = hours.filter(({ hour }) => within(hour, left))
  const rows = rest.reduce((sum, hour) => sum + hour.rows, 0)
  const rowsTotal = goesOn ? known.rowsDone + rows : rows
  const pace = await measuredPace(warehouse, key)
  const rowsPerSecond = Math.round(options.rowsPerSecond > 0 ? Math.min(pace, options.rowsPerSecond) : pace)
  const plan = {
    source: key,
    from,
    until,
    order: (goesOn ? known.order : options.order) ?? 'newest',
    purpose,
    resumed: goesOn ? 'yes' : 'no',
    hours: rest.length,
    cells: rest.length * source.capture.shards,
    rows,
    rowsTotal,
    sourceBytes: await sourceBytes(desk.reader, source, rows, all),
    warehouseBytes: await billedBytes(warehouse, source, left),
    rowsPerSecond,
    seconds: Math.ceil(rows / rowsPerSecond),
    sealedBefore,
  } as const
  return { plan, hours, known: goesOn ? known : null }
}

async function measuredPace(warehouse: Session, source: string): Promise<number> {
  const { rows } = await warehouse.query<{ written: string | null; ms: string | null }>(
    'select sum(rows) as written, sum(duration_ms) as ms from plinth.rollup_runs where source = $1 and rows >= 10000',
    [source],
  )
  const [written, ms] = [Number(rows[0]?.written ?? 0), Number(rows[0]?.ms ?? 0)]
  return written > 0 && ms > 0 ? (written / ms) * 1000 : 200_000
}

async function sourceBytes(
  reader: Session,
  source: CapturedSource,
  rows: number,
  all: readonly ChangedHour[],
): Promise<number> {
  const { rows: sizes } = await reader.query<{ bytes: string | null }>(
    'select sum(pg_relation_size(relid)) as bytes from pg_partition_tree(to_regclass($1))',
    [source.capture.table],
  )
  const everything = all.reduce((sum, hour) => sum + hour.rows, 0)
  return everything === 0 ? 0 : Math.round((Number(sizes[0]?.bytes ?? 0) * rows) / everything)
}

async function billedBytes(
  warehouse: Session,
  source: CapturedSource,
  { from, until }: { readonly from: string; readonly until: string },
): Promise<number | null> {
  const { estimateBytes, moment } = spellingOf(warehouse)
  if (!estimateBytes) return null
  return estimateBytes(
    warehouse,
    `select * from ${rawTable(warehouse, source)} as raw
     where raw.bucket_hour >= ${moment(from, 'before all')} and raw.bucket_hour < ${moment(until, 'after all')}`,
  )
}

/** Without a range, or with its own, one that is under way is gone on with. */
function sameRange(known: Backfill, { from, until, order }: BackfillOptions): boolean {
  return (
    (from === null || from === known.from) &&
    (until === null || until === known.until) &&
    (order === null || order === known.order)
  )
}

function refusePart(all: readonly ChangedHour[], from: string, until: string): void {
  if (all.every(({ hour }) => hour >= from && hour < until)) return
  throw new PlinthError('USAGE', 'The warehouse is empty, so a part of history alone would leave it wrong.', {
    hint: 'Leave out --from and --to, or run `plinth rollup run` first.',
  })
}

function underWay({ from, until, order }: Backfill): PlinthError {
  return new PlinthError('USAGE', `A backfill from ${from} to ${until}, ${order} first, is under way.`, {
    hint: 'Go on with it first: plinth rollup backfill, without --from, --to and --order.',
  })
}

function latest(from: string, sealedBefore: string | null): string {
  return sealedBefore !== null && sealedBefore > from ? sealedBefore : from
}

function thisHour(at: string): string {
  return `${at.slice(0, 13)}:00:00.000000Z`
}

/**
 * Backfills: years of history, piece by piece, each replaced from a snapshot of its own, so that runs go on between the pieces and no snapshot
 * is held for hours. How far it is commits with the cells, so whoever goes on after a kill goes on there.
 */
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { acknowledge, markCells } from './capture.ts'
import { type Backfill, type BackfillOrder, readBackfill, remaining, writeBackfill } from './backfill-ledger.ts'
import { spellingOf } from './cells.ts'
import { consumerOf, type Desk, refuseRestored, type RollupOptions, withDesk, withWarehouse } from './desk.ts'
import { allHours } from './estimate.ts'
import { readCursor, storeRawRows } from './ledger.ts'
import { hasCells } from './materialize.ts'
import { type ChangedHour, hourAfter } from './plan.ts'
import { prepare, type Work } from './prepare.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from './project.ts'
import { runRollup } from './run.ts'
import { readSealing, refuseForgotten, stretchBatch } from './sealed.ts'
import { applyBatch, rawTable } from './step.ts'
import { createThrottle, type Throttle } from './throttle.ts'

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

export interface BackfillReport {
  readonly runId: string
  readonly status: 'done' | 'nothing-to-do'
  readonly durationMs: number
  readonly sources: readonly {
    readonly source: string
    readonly from: string
    readonly until: string
    readonly rows: number
    readonly pieces: number
  }[]
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

/** Does it, or goes on with one that is under way. Throws INTERRUPTED with what was done kept, USAGE, and what `runRollup` throws. */
export async function runBackfill(project: Project, options: BackfillOptions): Promise<BackfillReport> {
  const started = performance.now()
  const sources: BackfillReport['sources'][number][] = []
  for (const source of capturedSources(project)) sources.push(await backfillSource(project, source, options))
  return {
    runId: options.runId,
    status: sources.some(({ pieces }) => pieces > 0) ? 'done' : 'nothing-to-do',
    durationMs: Math.round(performance.now() - started),
    sources,
  }
}

async function backfillSource(project: Project, source: CapturedSource, options: BackfillOptions) {
  const throttle = createThrottle(options)
  const { hours, state } = await withDesk(source, options, desk =>
    withWarehouse(options, warehouse => begin(project, source, options, desk, warehouse)),
  )
  let backfill = state
  let pieces = 0
  const tell = () =>
    options.emit({
      type: 'progress',
      task: `backfill ${sourceKey(source)}`,
      done: backfill.rowsDone,
      total: Math.max(backfill.rowsTotal, backfill.rowsDone),
      unit: 'rows',
    })
  tell()
  while (backfill.state === 'running') {
    if (options.signal?.aborted) throw interrupted()
    backfill = await nextPiece(project, source, options, { backfill, hours, throttle })
    pieces++
    tell()
  }
  if (pieces > 0) await buildWhole(project, source, options, backfill)
  const { from, until, rowsDone } = backfill
  return { source: sourceKey(source), from, until, rows: pieces > 0 ? rowsDone : 0, pieces }
}

interface Ahead {
  readonly plan: BackfillPlan
  readonly hours: readonly ChangedHour[]
  readonly known: Backfill | null
}

async function lookAhead(
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
  const rowsTotal = goesOn ? Math.max(known.rowsTotal, known.rowsDone + rows) : rows
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

async function begin(
  project: Project,
  source: CapturedSource,
  options: BackfillOptions,
  desk: Desk,
  warehouse: Session,
): Promise<{ hours: readonly ChangedHour[]; state: Backfill }> {
  const { plan, hours, known } = await lookAhead(source, options, desk, warehouse)
  if (known) return { hours, state: { ...known, runId: options.runId, rowsTotal: plan.rowsTotal } }
  const { from, until, order, purpose } = plan
  const state: Backfill = {
    source: plan.source,
    from,
    until,
    order,
    position: order === 'newest' ? until : from,
    state: from >= until ? 'done' : 'running',
    purpose,
    rowsDone: 0,
    rowsTotal: plan.rowsTotal,
    startedAt: desk.readAt,
    runId: options.runId,
  }
  // An empty warehouse begins where the source is now: what changes from here on is a run's to take, what came before is ours.
  if (purpose === 'load') await beginEmpty(project, source, options, desk, warehouse, state)
  return { hours, state }
}

async function beginEmpty(
  project: Project,
  source: CapturedSource,
  options: BackfillOptions,
  desk: Desk,
  warehouse: Session,
  state: Backfill,
): Promise<void> {
  const work = await prepare(project, source, options, desk, warehouse)
  const context = contextOf(source, options, { desk, warehouse, work, reader: desk.reader })
  const closing = {
    cursor: { ...desk.identity, snapshot: desk.snapshot, token: desk.lease.token },
    fingerprints: work.fingerprints,
    run: (rows: number) => ({
      runId: options.runId,
      source: sourceKey(source),
      token: desk.lease.token,
      mode: 'backfill',
      marks: 0,
      cells: 0,
      rows,
      durationMs: 0,
    }),
    also: (session: Session) => writeBackfill(session, state),
  }
  await applyBatch(context, { from: null, until: null, hours: [], whole: 'no', rows: 0, cells: 0 }, closing)
  await acknowledge(desk.control, sourceKey(source), consumerOf(options), desk.snapshot, desk.lease.token)
}

interface Piece {
  readonly backfill: Backfill
  readonly hours: readonly ChangedHour[]
  readonly throttle: Throttle
}

async function nextPiece(
  project: Project,
  source: CapturedSource,
  options: BackfillOptions,
  { backfill, hours, throttle }: Piece,
): Promise<Backfill> {
  return withDesk(source, options, desk =>
    withWarehouse(options, async warehouse => {
      // A run may have sealed hours meanwhile.
      const sealing = await readSealing(source, desk.reader, warehouse)
      const known = clipped(backfill, sealing.horizon?.sealedBefore ?? null)
      const stretch = stretchOf(known, hours, pieceRows(options))
      const work = await prepare(project, source, options, desk, warehouse)
      const position = backfill.order === 'newest' ? stretch.from : stretch.until
      const ends = backfill.order === 'newest' ? position <= known.from : position >= known.until
      let next: Backfill = { ...known, position, state: ends ? 'done' : 'running', runId: options.runId }
      const also = async (session: Session, rows: number) => {
        next = { ...next, rowsDone: backfill.rowsDone + rows }
        await writeBackfill(session, next)
        await storeRawRows(session, sourceKey(source), rawTable(session, source))
      }
      const reader = throttle.slowed(desk.reader, desk.control)
      const { rows } = await applyBatch(
        { ...contextOf(source, options, { desk, warehouse, work, reader }), also },
        stretchBatch(stretch),
        null,
      )
      throttle.learn(rows)
      return next
    }),
  )
}

/** What is made as a whole reads everything, so it is made once, by a run, when everything is there. */
async function buildWhole(
  project: Project,
  source: CapturedSource,
  options: BackfillOptions,
  { until }: Backfill,
): Promise<void> {
  if (project.transforms.every(transform => hasCells(transform) || transform.materialized === 'view')) return
  const hour = new Date(Date.parse(until) - 3_600_000).toISOString().replace('.000Z', '.000000Z')
  await withDesk(source, options, desk => markCells(desk.control, source, [{ hour, shard: 0 }]))
  await runRollup(project, options)
}

function contextOf(
  source: CapturedSource,
  options: BackfillOptions,
  { desk, warehouse, work, reader }: { desk: Desk; warehouse: Session; work: Work; reader: Session },
) {
  return {
    source,
    transforms: work.transforms,
    stale: work.stale,
    names: work.names,
    reader,
    warehouse,
    readAt: desk.readAt,
    emit: options.emit,
    onStage: async (stage: Parameters<NonNullable<RollupOptions['onStage']>>[0]) =>
      options.onStage?.(stage, sourceKey(source)),
    claim: {
      source: sourceKey(source),
      lease: desk.lease.name,
      token: desk.lease.token,
      runId: options.runId,
      fresh: work.fresh,
    },
  }
}

/** Large enough to be worth its sessions, small enough that a limit on the rate leaves the warehouse to others every ten seconds or so. */
function pieceRows({ rowsPerSecond, limits }: BackfillOptions): number {
  if (limits) return limits.rows
  return rowsPerSecond > 0 ? Math.min(4_000_000, Math.max(50_000, rowsPerSecond * 10)) : 4_000_000
}

/** The next hours in the order, until they hold enough rows; hours without rows go with those beside them. */
function stretchOf(
  backfill: Backfill,
  hours: readonly ChangedHour[],
  rowsWanted: number,
): { readonly from: string; readonly until: string } {
  const left = remaining(backfill) ?? { from: backfill.from, until: backfill.from }
  const inside = hours.filter(({ hour }) => hour >= left.from && hour < left.until)
  const ordered = backfill.order === 'newest' ? inside.toReversed() : inside
  let rows = 0
  for (const [index, hour] of ordered.entries()) {
    rows += hour.rows
    const next = ordered[index + 1]
    if (rows < rowsWanted || !next) continue
    return backfill.order === 'newest' ? { from: hour.hour, until: left.until } : { from: left.from, until: next.hour }
  }
  return left
}

/** What was sealed since is not replaced any more. */
function clipped(backfill: Backfill, sealedBefore: string | null): Backfill {
  if (sealedBefore === null || sealedBefore <= backfill.from) return backfill
  const from = sealedBefore < backfill.until ? sealedBefore : backfill.until
  return { ...backfill, from, position: backfill.position < from ? from : backfill.position }
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

function interrupted(): PlinthError {
  return new PlinthError('INTERRUPTED', 'The backfill was interrupted.', {
    hint: 'What was done is kept; `plinth rollup backfill` goes on from there.',
  })
}

function latest(from: string, sealedBefore: string | null): string {
  return sealedBefore !== null && sealedBefore > from ? sealedBefore : from
}

function thisHour(at: string): string {
  return `${at.slice(0, 13)}:00:00.000000Z`
}

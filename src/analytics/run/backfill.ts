/**
 * Backfills: years of history, piece by piece, each replaced from a snapshot of its own, so that runs go on between the pieces and no snapshot
 * is held for hours. How far it is commits with the cells, so whoever goes on after a kill goes on there.
 */
import { availableParallelism } from 'node:os'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { acknowledge, markCells } from './capture.ts'
import { type Backfill, remaining, writeBackfill } from './backfill-ledger.ts'
import { type BackfillOptions, lookAhead } from './backfill-plan.ts'
import { claimOf, consumerOf, type Desk, type RollupOptions, withDesk, withWarehouse } from './desk.ts'
import { storeRawRows } from '../ledger.ts'
import { hasCells } from './materialize.ts'
import type { ChangedHour } from './plan.ts'
import { prepare, type Work } from './prepare.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { runRollup } from './run.ts'
import { readSealing, stretchBatch } from '../seal/sealed.ts'
import { applyBatch, rawTable } from './step.ts'
import { createThrottle, type Throttle } from './throttle.ts'

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
      // How many there are was estimated; in the end it is known.
      total: backfill.state === 'done' ? backfill.rowsDone : Math.max(backfill.rowsTotal, backfill.rowsDone),
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
    withWarehouse(
      options,
      async warehouse => {
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
      },
      sharing(options),
    ),
  )
}

/** Where the warehouse computes in this process and a limit asks for gentleness, half of the processors are left to others. */
function sharing({ warehouse, rowsPerSecond }: BackfillOptions): Readonly<Record<string, string>> {
  if (rowsPerSecond === 0 || warehouse.engine.can.concurrentProcesses) return {}
  return { threads: String(Math.max(1, Math.floor(availableParallelism() / 2))) }
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
    claim: claimOf(source, options, desk, work.fresh),
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

function interrupted(): PlinthError {
  return new PlinthError('INTERRUPTED', 'The backfill was interrupted.', {
    hint: 'What was done is kept; `plinth rollup backfill` goes on from there.',
  })
}

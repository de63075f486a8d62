/**
 * Columns that come back behind the step that made them. Each batch is a transaction of its own that also moves the cursor, which is kept with
 * the archive: a run that dies at any moment leaves a table that others can use, and the next run of the version goes on behind the last batch.
 */
import { withFence, withTransaction } from '../engines/brackets.ts'
import { asPlinthError } from '../errors.ts'
import { pacer, passing } from './backfill/pace.ts'
import type { CheckReport } from './checks.ts'
import { type StepContext, timeouts, type Work } from './context.ts'
import { finishAttempt, type Outcome } from './history.ts'
import { cancellable, refuseInterrupted, withLockRetries } from './patience.ts'
import { worthBatches } from './preserve/apart.ts'
import { type Batch, restoreBatch } from './preserve/batch.ts'
import type { Preserved } from './preserve/care.ts'
import { plainly } from './preserve/plainly.ts'
import { shapeOf } from './preserve/shape.ts'
import { countDefaulted, settleArchive } from './preserve/settle.ts'
import { classAfter } from './preserve/step.ts'
import { type Archive, type ArchiveObject, queryArchives, readObjects, type RestoreReport } from './preserve/store.ts'
import { closeWindow, keyIndex } from './preserve/window.ts'
import { runChecks } from './run-checks.ts'

/** A step whose statements are done and committed, and whose columns are on their way back. */
export interface UnderWay {
  readonly attempt: string
  readonly rows: number
  readonly checks: readonly CheckReport[]
  readonly preserved: Preserved
  /** Of `performance.now()`. */
  readonly startedMs: number
}

/** Brings the columns back and writes the end of the step down. When it fails, the next run goes on. */
export async function finishApart(context: StepContext, begun: UnderWay): Promise<Work> {
  const { session, step, held, clock } = context
  const lockedMs = performance.now() - begun.startedMs
  let checks = begun.checks
  let preserved = begun.preserved
  const outcome = (error?: ReturnType<typeof asPlinthError>): Outcome => ({
    finishedAt: new Date(clock.now()).toISOString(),
    durationMs: performance.now() - begun.startedMs,
    rows: begun.rows,
    tables: step.tables,
    errorCode: error?.code,
    sqlState: error?.sqlState,
    checks,
    lossClass: classAfter(step, preserved),
    preserved,
  })
  try {
    preserved = { ...preserved, restored: [...preserved.restored, ...(await completeRestores(context))] }
    checks = [...checks, ...(await runChecks(context, 'after', 'in its own transaction'))]
    const reached = step.direction === 'up' ? 'applied' : 'rolled_back'
    await withFence(session, held, () => finishAttempt(session, begun.attempt, reached, outcome()))
    return { rows: begun.rows, checks, preserved, lockedMs }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    const failed = () => finishAttempt(session, begun.attempt, 'failed', outcome(error))
    await withFence(session, held, failed).catch(() => undefined)
    throw error
  }
}

/** Whatever was opened for this version, by this run or by one that stopped. */
export async function completeRestores(context: StepContext): Promise<RestoreReport[]> {
  const { session, step, origin } = context
  const { version } = step
  const archives = await queryArchives(session, { track: origin.track, version, statuses: ['kept'] })
  const reports: RestoreReport[] = []
  for (const archive of archives) {
    const objects = await readObjects(session, archive.id)
    if (objects.every(object => object.detail.window === undefined)) continue
    for (const object of objects) if (object.detail.window?.routine) await restoreColumn(context, object)
    reports.push(...(await settle(context, archive)))
  }
  return reports
}

/** Builds the indexes by which batches find their rows, before the step locks anything. What is not needed goes with its copy. */
export async function prepareRestores(context: StepContext): Promise<void> {
  const { session, step, origin, preserve } = context
  const { version, direction, directives } = step
  const opposite = direction === 'up' ? 'down' : 'up'
  if (!preserve?.owed.has(`${version}:${opposite}`) || directives.restore === 'together') return
  for (const { id } of await queryArchives(session, {
    track: origin.track,
    version,
    direction: opposite,
    statuses: ['kept'],
  }))
    for (const { kind, copy, source, detail } of await readObjects(session, id)) {
      if (kind !== 'column' || copy === null || detail.key === null || detail.window) continue
      const shape = await shapeOf(session, source, preserve)
      const isWorthIt =
        directives.restore === 'batches' || (detail.uniform === undefined && Number(shape?.bytes) >= worthBatches)
      if (!isWorthIt) continue
      const { key } = detail
      const prepare = () => session.script(`set local statement_timeout = 0; ${keyIndex(copy, key)}; analyze ${copy}`)
      await withLockRetries(context, () => shortly(context, prepare, vacuumGivesWayMs), passing)
    }
}

async function restoreColumn(context: StepContext, begun: ArchiveObject): Promise<void> {
  const { session, step, emit, preserve } = context
  const tenantColumn = preserve?.tenantColumn ?? ''
  const task = `restore ${begun.source.replaceAll('"', '')}`
  const expected = begun.detail.digest?.rows ?? (await estimateOf(context, begun))
  const pace = pacer(context)
  let object = begun
  let batch: Batch = { size: step.directives.batch ?? sizes.first, how: 'restore' }
  for (;;) {
    const started = performance.now()
    const now = object
    const asked = batch
    const done = await withLockRetries(
      context,
      () => shortly(context, () => restoreBatch(session, now, { ...asked, tenantColumn })),
      passing,
    ).catch((thrown: unknown) => {
      // A value that the table refuses is looked for by halves, so that it stays alone behind.
      const error = asPlinthError(thrown)
      if (asked.how === 'leave' || !/^(22|23|42|P0)/.test(error.sqlState ?? '')) throw error
      return null
    })
    if (done === null) {
      batch = batch.size > 1 ? { size: Math.ceil(batch.size / 2), how: 'restore' } : { size: 1, how: 'leave' }
      continue
    }
    if (done.seen === 0) break
    object = { ...object, detail: { ...object.detail, window: done.window } }
    const { restored, orphaned, unmatched, kept } = done.window.report
    const seen = restored + orphaned + unmatched + kept
    emit({ type: 'progress', task, done: seen, total: Math.max(expected, seen), unit: 'rows' })
    batch = { size: step.directives.batch ?? nextSize(batch.size, performance.now() - started), how: 'restore' }
    await pace()
  }
  await shortly(context, () => countDefaulted(session, object))
}

const sizes = { first: 1000, least: 200, most: 20_000, aimMs: 150 } as const

/** Others wait for a row as long as its batch takes. */
function nextSize(size: number, tookMs: number): number {
  const wished = Math.min(size * 2, (size * sizes.aimMs) / Math.max(1, tookMs))
  return Math.round(Math.min(sizes.most, Math.max(sizes.least, wished)))
}

/** Triggers go in a moment of their own: dropping a large copy takes longer than anybody should wait for the table. */
async function settle(context: StepContext, { id }: Archive): Promise<RestoreReport[]> {
  const { session, origin, clock } = context
  for (const object of await readObjects(session, id)) {
    const { window } = object.detail
    if (window?.routine) await unhurried(context, () => closeWindow(session, object, window))
  }
  return unhurried(context, async () =>
    settleArchive(session, await readObjects(session, id), {
      archiveId: id,
      runId: origin.runId,
      endedAt: new Date(clock.now()).toISOString(),
    }),
  )
}

async function unhurried<T>(context: StepContext, work: () => Promise<T>): Promise<T> {
  return withLockRetries(context, () => shortly(context, work), passing)
}

/**
 * A transaction of ours, which sees what others commit. It gives up a lock before the server would look for a deadlock, and so never has it end
 * somebody else's transaction.
 */
async function shortly<T>(context: StepContext, work: () => Promise<T>, patienceMs = deadlockFoundMs): Promise<T> {
  const { session, waiting, held, signal } = context
  refuseInterrupted(signal)
  const lockTimeoutMs = Math.min(waiting.lockTimeoutMs || patienceMs, patienceMs)
  return cancellable(context, () =>
    withTransaction(session, async () => {
      const settings = timeouts({ ...context, waiting: { ...waiting, lockTimeoutMs } }, 'set local')
      await session.script(['set transaction isolation level read committed', ...settings].join(';\n'))
      const result = await plainly(session, work)
      await held.fence(session)
      return result
    }),
  )
}

/** Below the server's default of one second. */
const deadlockFoundMs = 600

/** Nobody but a vacuum has a lock on a copy, and it is cancelled once somebody has waited as long as for a deadlock. */
const vacuumGivesWayMs = 3000

async function estimateOf({ session }: StepContext, { copy }: ArchiveObject): Promise<number> {
  const { rows } = await session.query<{ rows: number }>(
    'select greatest(reltuples, 0)::float8 as rows from pg_catalog.pg_class where oid = to_regclass($1)',
    [copy],
  )
  return rows[0]?.rows ?? 0
}

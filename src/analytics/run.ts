/**
 * A rollup run (protocol 4 of the architecture): a lease with a token, one snapshot of the source, the cells that were marked since the
 * cursor's snapshot, their rows copied and replaced, the cursor moved with the last of them. A run that dies anywhere is repeated by the
 * next one without harm, since replacing a cell twice gives the same cell.
 */
import { withSession, withTransaction } from '../engines/brackets.ts'
import type { Engine, Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { Emit } from '../telemetry/event.ts'
import {
  acknowledge,
  acknowledgedToken,
  allHours,
  countRows,
  currentSnapshot,
  inspectSource,
  isAhead,
  type Marks,
  pendingMarks,
  type SourceIdentity,
  trimMarks,
} from './capture.ts'
import { namesOf } from './compile.ts'
import { descendantsOf } from './graph.ts'
import { ensureWarehouseLedger, readCursor, readFingerprints, requireTable, type StoredCursor } from './ledger.ts'
import { ensureSourceLedger, type Lease, withLease } from './lease.ts'
import { fingerprintOf, prepareTable } from './materialize.ts'
import { type Batch, type ChangedHour, defaultLimits, planBatches } from './plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey, type Transform } from './project.ts'
import { applyBatch, rawTable, type Stage } from './step.ts'

/** A database by its engine and URL. */
export interface Database {
  readonly engine: Engine
  readonly url: string
}

export interface RollupOptions {
  readonly source: Database
  readonly warehouse: Database
  readonly emit: Emit
  /** Names the run in every ledger. */
  readonly runId: string
  /** Shown to runs that wait for this one, such as `anna@host (process 4711)`. */
  readonly owner: string
  /** Which warehouse this is, among those that read the same source; default `warehouse`. */
  readonly consumer?: string
  /** `rebase` loads everything again, and accepts a source that was restored or replaced. Default `changes`. */
  readonly mode?: 'changes' | 'rebase'
  /** How long to wait for the lease and for a busy warehouse file; default 60 seconds. */
  readonly waitMs?: number
  readonly leaseTtlMs?: number
  /** Bounds of one transaction of the warehouse. */
  readonly limits?: { readonly rows: number; readonly cells: number }
  readonly signal?: AbortSignal
  /** Awaited at each stage; a test stops or fails a run there. */
  readonly onStage?: (stage: Stage, source: string) => Promise<void>
}

export interface RollupReport {
  readonly runId: string
  readonly status: 'succeeded' | 'nothing-to-do'
  readonly durationMs: number
  readonly sources: readonly SourceReport[]
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
  /** Marks that every consumer has passed and that were deleted. */
  readonly trimmed: number
}

export type WholeReason =
  | 'first load'
  | 'asked for'
  | 'warehouse was set back'
  | 'source table was made anew'
  | 'warehouse table was emptied'

/**
 * Brings the warehouse to a snapshot of each source. Throws LOCK_TIMEOUT, LEASE_LOST, WAREHOUSE_BUSY, WAREHOUSE_FAILED, SOURCE_RESTORED,
 * TRANSFORM_INVALID, PERMISSION_DENIED, DIFFERENCES_FOUND; nothing of the batch at hand is kept then, and the cursor has not moved.
 */
export async function runRollup(project: Project, options: RollupOptions): Promise<RollupReport> {
  const started = performance.now()
  const sources: SourceReport[] = []
  for (const source of capturedSources(project)) sources.push(await rollUp(project, source, options))
  const idle = sources.every(
    report => report.marks === 0 && report.mode === 'changes' && Object.keys(report.tables).length === 0,
  )
  return {
    runId: options.runId,
    status: idle ? 'nothing-to-do' : 'succeeded',
    durationMs: Math.round(performance.now() - started),
    sources,
  }
}

/** The sessions of a run, open and under the lease of the source. */
export interface Desk {
  /** For leases, marks and acknowledgements; never in a long statement. */
  readonly control: Session
  /** In a snapshot of the source. */
  readonly reader: Session
  readonly lease: Lease
  readonly identity: SourceIdentity
  readonly snapshot: string
  readonly readAt: string
}

/** Opens the source, takes the lease, then a snapshot: in this order, so that a higher token always means a later snapshot. */
export async function withDesk<T>(
  source: CapturedSource,
  options: RollupOptions,
  work: (desk: Desk) => Promise<T>,
): Promise<T> {
  const { engine, url } = options.source
  const waitMs = options.waitMs ?? 60_000
  const settings = sourceSettings
  return withSession(
    engine,
    url,
    { applicationName: `plinth rollup ${options.runId}`.slice(0, 63), settings },
    async control => {
      const identity = await inspectSource(control, source)
      await ensureSourceLedger(control)
      const leaseOptions = {
        owner: options.owner,
        runId: options.runId,
        waitMs,
        ttlMs: options.leaseTtlMs ?? 30_000,
        emit: options.emit,
        signal: options.signal,
      }
      return withLease(control, leaseName(source, options), leaseOptions, lease =>
        withSession(
          engine,
          url,
          { applicationName: `plinth snapshot ${options.runId}`.slice(0, 63), settings },
          async reader => {
            await options.onStage?.('leased', sourceKey(source))
            return withTransaction(
              reader,
              async () => {
                const { snapshot, at } = await currentSnapshot(reader)
                return work({ control, reader, lease, identity, snapshot, readAt: at })
              },
              'snapshot',
            )
          },
        ),
      )
    },
  )
}

/** Opens the warehouse late and closes it early: DuckDB lets one process in. */
export async function withWarehouse<T>(options: RollupOptions, work: (session: Session) => Promise<T>): Promise<T> {
  const onWait = (holder: string | null, waitedMs: number) =>
    options.emit({ type: 'lock.waiting', lock: 'warehouse file', holder, waitedMs })
  return withSession(
    options.warehouse.engine,
    options.warehouse.url,
    { waitMs: options.waitMs ?? 60_000, onWait },
    async session => {
      await ensureWarehouseLedger(session)
      return work(session)
    },
  )
}

/** A run may take long, and times are copied as the server writes them: ISO 8601 in UTC. */
const sourceSettings = {
  idle_in_transaction_session_timeout: '0',
  statement_timeout: '0',
  // Compiling a statement that copies rows costs more than it saves.
  jit: 'off',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
}

export function consumerOf(options: RollupOptions): string {
  return options.consumer ?? 'warehouse'
}

/** Refuses a source that is not the one of the cursor, unless everything is loaded anyway. */
export async function refuseRestored(desk: Desk, stored: StoredCursor | null): Promise<void> {
  if (!stored) return
  const { identity } = desk
  const differs = (a: string | null, b: string | null) => a !== null && b !== null && a !== b
  const reason = differs(stored.systemIdentifier, identity.systemIdentifier)
    ? 'its system identifier is another'
    : differs(stored.timeline, identity.timeline)
      ? 'it continues on another timeline'
      : stored.token >= desk.lease.token
        ? 'its leases are older than the warehouse'
        : stored.snapshot !== null && (await isAhead(desk.reader, stored.snapshot))
          ? 'its transactions are older than the warehouse'
          : undefined
  if (reason === undefined) return
  throw new PlinthError(
    'SOURCE_RESTORED',
    `The source is not the database that the warehouse was loaded from: ${reason}.`,
    {
      at: { object: desk.reader.address },
      hint: 'If that is as it should be, run `plinth rollup run --rebase`, which loads everything again.',
    },
  )
}

async function rollUp(project: Project, source: CapturedSource, options: RollupOptions): Promise<SourceReport> {
  return withDesk(source, options, async desk =>
    withWarehouse(options, async warehouse => {
      const started = performance.now()
      const work = await prepare(project, source, options, desk, warehouse)
      const { marks, reason, batches } = work
      const cells = batches.reduce((sum, batch) => sum + batch.cells, 0)
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
        trimmed,
      }
    }),
  )
}

interface Work {
  readonly names: ReturnType<typeof namesOf>
  readonly transforms: readonly Transform[]
  readonly stale: ReadonlySet<string>
  readonly fingerprints: ReadonlyMap<string, string>
  readonly marks: number
  readonly reason: WholeReason | null
  readonly batches: readonly Batch[]
  /** The stored token is that of another source, whose tokens mean nothing here; only a rebase gets this far then. */
  readonly fresh: 'yes' | 'no'
  readonly stored: StoredCursor | null
}

/** Everything that is known before anything is written. */
async function prepare(
  project: Project,
  source: CapturedSource,
  options: RollupOptions,
  desk: Desk,
  warehouse: Session,
): Promise<Work> {
  const key = sourceKey(source)
  await requireTable(warehouse, source.schema, source.identifier)
  const names = namesOf(project)
  const transforms = descendantsOf(project.transforms, key)
  for (const transform of transforms) await prepareTable(warehouse, transform, names)
  const stored = await readCursor(warehouse, key)
  if (options.mode !== 'rebase') await refuseRestored(desk, stored)
  const reason = await wholeReason(source, options, desk, warehouse, stored)
  const fingerprints = new Map<string, string>()
  for (const transform of transforms) fingerprints.set(transform.name, await fingerprintOf(transform, names, warehouse))
  const before = await readFingerprints(warehouse)
  const changed = transforms
    .filter(transform => before.get(transform.name) !== fingerprints.get(transform.name))
    .map(({ name }) => name)
  const stale = new Set(
    reason === null
      ? transforms.filter(transform => dependsOnAny(transform, changed, transforms)).map(({ name }) => name)
      : [],
  )
  const { marks, hours } = await changedHours(source, desk, reason === null ? (stored?.snapshot ?? null) : null)
  const whole = reason === null ? 'no' : 'yes'
  const limits = { ...defaultLimits[whole], ...options.limits, shards: source.capture.shards }
  return {
    names,
    transforms,
    stale,
    fingerprints,
    marks,
    reason,
    batches: planBatches(hours, whole, limits),
    fresh: stored !== null && stored.token >= desk.lease.token ? 'yes' : 'no',
    stored,
  }
}

async function wholeReason(
  source: CapturedSource,
  options: RollupOptions,
  desk: Desk,
  warehouse: Session,
  stored: StoredCursor | null,
): Promise<WholeReason | null> {
  if (options.mode === 'rebase') return 'asked for'
  if (stored === null || stored.snapshot === null) return 'first load'
  if (stored.relation !== desk.identity.relation) return 'source table was made anew'
  // Marks up to an acknowledged cursor are gone; a warehouse from before it can no longer know what it missed.
  const acknowledged = await acknowledgedToken(desk.control, sourceKey(source), consumerOf(options))
  if (acknowledged !== null && acknowledged > stored.token) return 'warehouse was set back'
  const { rows } = await warehouse.query<{ row_count: string }>(
    `select count(*) as row_count from ${rawTable(warehouse, source)}`,
  )
  const rawRows = BigInt(rows[0]?.row_count ?? 0)
  if (rawRows === 0n && stored.rawRows > 0n) return 'warehouse table was emptied'
  if (rawRows !== stored.rawRows) {
    options.emit({
      type: 'warning',
      message: `${source.schema}.${source.identifier} has ${rawRows} rows, but had ${stored.rawRows} when its cursor was stored.`,
      hint: 'Somebody else changed it. Run `plinth reconcile`, which finds and repairs the difference.',
    })
  }
  return null
}

async function changedHours(
  source: CapturedSource,
  desk: Desk,
  since: string | null,
): Promise<{ marks: number; hours: readonly ChangedHour[] }> {
  if (since === null) return { marks: 0, hours: await allHours(desk.reader, source) }
  const pending: Marks = await pendingMarks(desk.reader, source, since)
  return {
    marks: pending.marks,
    hours: pending.hours.length === 0 ? [] : await countRows(desk.reader, source, pending.hours),
  }
}

/** A transform whose own SQL or that of an input changed cannot mix old rows with new ones. */
function dependsOnAny(transform: Transform, changed: readonly string[], all: readonly Transform[]): boolean {
  if (changed.includes(transform.name)) return true
  return transform.refs.some(ref => all.some(other => other.name === ref && dependsOnAny(other, changed, all)))
}

interface Done {
  readonly rows: number
  readonly cells: number
  readonly tables: Readonly<Record<string, number>>
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
  if (work.batches.length === 0 && work.stale.size === 0) return { rows: 0, cells: 0, tables: {}, moved: false }
  const batches = work.batches.length > 0 ? work.batches : [emptyBatch]
  const total = batches.reduce((sum, batch) => sum + batch.rows, 0)
  const tables: Record<string, number> = {}
  let rows = 0
  let cells = 0
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
    claim: {
      source: sourceKey(source),
      lease: desk.lease.name,
      token: desk.lease.token,
      runId: options.runId,
      fresh: work.fresh,
    },
  }
  for (const [index, batch] of batches.entries()) {
    desk.lease.assertHeld()
    options.signal?.throwIfAborted()
    const closing = {
      cursor: { ...desk.identity, snapshot: desk.snapshot, token: desk.lease.token },
      fingerprints: work.fingerprints,
      run: (loaded: number) => ({
        runId: options.runId,
        source: sourceKey(source),
        token: desk.lease.token,
        mode: work.reason ?? 'changes',
        marks: work.marks,
        cells: cells + batch.cells,
        rows: rows + loaded,
        durationMs: Math.round(performance.now() - started),
      }),
    }
    const result = await applyBatch(context, batch, index === batches.length - 1 ? closing : null)
    rows += result.rows
    cells += batch.whole === 'yes' ? result.cells : batch.cells
    for (const [table, count] of Object.entries(result.tables)) tables[table] = (tables[table] ?? 0) + count
    options.emit({ type: 'progress', task: `rollup ${sourceKey(source)}`, done: rows, total, unit: 'rows' })
  }
  return { rows, cells, tables, moved: true }
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

function leaseName(source: CapturedSource, options: RollupOptions): string {
  return `rollup ${sourceKey(source)} ${consumerOf(options)}`
}

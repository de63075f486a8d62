/** What every visit to source and warehouse begins with: sessions, a lease, a snapshot, and knowing that the source is the one it was. */
import { withSession, withTransaction } from '../../engines/brackets.ts'
import type { Engine, Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'
import { adoptMarks, currentSnapshot, inspectSource, isAhead, type SourceIdentity } from './capture.ts'
import { type Claim, ensureWarehouseLedger, type StoredCursor } from '../ledger.ts'
import { ensureSourceLedger, type Lease, withLease } from './lease.ts'
import { type CapturedSource, sourceKey } from '../project/project.ts'
import type { Stage } from './step.ts'

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
  /**
   * Names of the transforms that are brought up to date, with what they read; default all. The cursor stays where it is, so that the next run
   * gives the others what they have not got.
   */
  readonly select?: ReadonlySet<string>
  /** How long to wait for the lease and for a busy warehouse file; default 60 seconds. */
  readonly waitMs?: number
  readonly leaseTtlMs?: number
  /** Bounds of one transaction of the warehouse. */
  readonly limits?: { readonly rows: number; readonly cells: number }
  readonly signal?: AbortSignal
  /** Awaited at each stage; a test stops or fails a run there. */
  readonly onStage?: (stage: Stage, source: string) => Promise<void>
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
      return withLease(control, leaseName(source, options), leaseOptions, async lease => {
        await adoptMarks(control, source)
        return withSession(
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
        )
      })
    },
  )
}

/** Opens the warehouse late and closes it early: DuckDB lets one process in. */
export async function withWarehouse<T>(
  options: RollupOptions,
  work: (session: Session) => Promise<T>,
  settings: Readonly<Record<string, string>> = {},
): Promise<T> {
  const onWait = (holder: string | null, waitedMs: number) =>
    options.emit({ type: 'lock.waiting', lock: 'warehouse file', holder, waitedMs })
  return withSession(
    options.warehouse.engine,
    options.warehouse.url,
    { waitMs: options.waitMs ?? 60_000, onWait, settings },
    async session => {
      await ensureWarehouseLedger(session)
      return work(session)
    },
  )
}

export function consumerOf(options: RollupOptions): string {
  return options.consumer ?? 'warehouse'
}

/** As whom the run writes into the warehouse; `fresh` where the stored token is that of another source. */
export function claimOf(
  source: CapturedSource,
  { runId }: Pick<RollupOptions, 'runId'>,
  { lease }: Pick<Desk, 'lease'>,
  fresh: Claim['fresh'] = 'no',
): Claim {
  return { source: sourceKey(source), lease: lease.name, token: lease.token, runId, fresh }
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
  // A runner that slept between its lease and its snapshot finds a later token as well: that of the one who took over.
  await withTransaction(desk.control, () => desk.lease.fence(desk.control))
  throw new PlinthError(
    'SOURCE_RESTORED',
    `The source is not the database that the warehouse was loaded from: ${reason}.`,
    {
      at: { object: desk.reader.address },
      hint: 'If that is as it should be, run `plinth rollup run --rebase`, which loads everything again.',
    },
  )
}

/** A run may take long, and times are copied as the server writes them: ISO 8601 in UTC. */
const sourceSettings = {
  idle_in_transaction_session_timeout: '0',
  statement_timeout: '0',
  // Compiling a statement that copies rows costs more than it saves.
  jit: 'off',
  // Helpers that find a few rows take longer to start than to find them, and one process sends them all.
  max_parallel_workers_per_gather: '0',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
}

function leaseName(source: CapturedSource, options: RollupOptions): string {
  return `rollup ${sourceKey(source)} ${consumerOf(options)}`
}

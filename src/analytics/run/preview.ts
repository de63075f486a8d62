/** What a rollup run would do: which cells and rows, which tables by cells and which anew, and what that would bill. Changes nothing. */
import { withSession, withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { inspectSource, pendingMarks } from './capture.ts'
import { changedCells, spellingOf } from './cells.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import { type RollupOptions } from './desk.ts'
import { allHours, countRows } from './estimate.ts'
import { descendantsOf } from '../project/graph.ts'
import { columnsOf, readCursor, readFingerprints } from '../ledger.ts'
import { fingerprintOf, hasCells } from './materialize.ts'
import { type OtherPlan, planOthers } from './preview-others.ts'
import { type Batch, type ChangedHour, defaultLimits, planBatches } from './plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey, type Transform } from '../project/project.ts'

export interface PreviewOptions extends Pick<RollupOptions, 'source' | 'warehouse' | 'waitMs' | 'emit' | 'mode'> {
  /** Names of the transforms that are shown; default all. */
  readonly select?: ReadonlySet<string>
  /** Bytes that may be billed; null without a limit. */
  readonly bytesMax?: number | null
}

export interface RollupPlan {
  readonly sources: readonly SourcePlan[]
  /** What is made beside them. */
  readonly others: readonly OtherPlan[]
  /** Bytes that the transforms would read, where the warehouse bills by them; null elsewhere. */
  readonly bytes: number | null
  readonly bytesMax: number | null
  readonly status: 'nothing-to-do' | 'pending' | 'over-the-cap'
}

export interface SourcePlan {
  readonly source: string
  readonly mode: 'changes' | 'whole'
  /** Why everything would be loaded; null for changes. */
  readonly reason: string | null
  readonly marks: number
  readonly cells: number
  /** About how many rows the source has in the hours that would be replaced. */
  readonly rows: number
  readonly batches: number
  readonly hours: readonly { readonly hour: string; readonly shards: number | 'all'; readonly rows: number }[]
  readonly transforms: readonly TransformPlan[]
}

export interface TransformPlan {
  readonly transform: string
  readonly action: 'replace cells' | 'build anew' | 'make view' | 'leave'
  /** Why it would be built as a whole; null where it is not. */
  readonly reason: 'its SQL changed' | 'what it reads changes' | 'everything is loaded' | 'there is no table yet' | null
  /** Bytes that its query would read; null where nobody bills by them, or where what it reads is not there yet. */
  readonly bytes: number | null
}

/** Throws TRANSFORM_INVALID, PERMISSION_DENIED, DATABASE_UNREACHABLE, WAREHOUSE_BUSY. Takes no lease. */
export async function previewRollup(project: Project, options: PreviewOptions): Promise<RollupPlan> {
  const { source: database, warehouse } = options
  const sources: SourcePlan[] = []
  const waiting = { waitMs: options.waitMs ?? 60_000 }
  for (const source of capturedSources(project)) {
    const plan = await withSession(database.engine, database.url, { applicationName: 'plinth rollup plan' }, reader =>
      withSession(warehouse.engine, warehouse.url, waiting, session =>
        withTransaction(reader, () => planSource(project, source, reader, session, options), 'snapshot'),
      ),
    )
    sources.push(plan)
  }
  const others = await withSession(warehouse.engine, warehouse.url, waiting, session =>
    planOthers(project, session, options),
  )
  const billed = [...sources.flatMap(({ transforms }) => transforms), ...others].flatMap(({ bytes }) => bytes ?? [])
  const bytes = billed.length === 0 ? null : billed.reduce((sum, one) => sum + one, 0)
  const bytesMax = options.bytesMax ?? null
  const isIdle =
    others.length === 0 &&
    sources.every(({ cells, transforms }) => cells === 0 && transforms.every(({ action }) => action === 'leave'))
  const isOver = bytes !== null && bytesMax !== null && bytes > bytesMax
  return { sources, others, bytes, bytesMax, status: isOver ? 'over-the-cap' : isIdle ? 'nothing-to-do' : 'pending' }
}

/** Throws COST_CAP_EXCEEDED when the plan's transforms would read more than its cap: before anything is sent. */
export function refuseOverCap({ status, bytes, bytesMax }: RollupPlan): void {
  if (status !== 'over-the-cap' || bytes === null || bytesMax === null) return
  throw new PlinthError(
    'COST_CAP_EXCEEDED',
    `The run would read ${bytes.toLocaleString('en-US')} bytes, and the cap is ${bytesMax.toLocaleString('en-US')}; nothing was sent.`,
    { hint: 'plinth rollup plan shows what reads how much. Change less at once, or raise --bytes-max.' },
  )
}

async function planSource(
  project: Project,
  source: CapturedSource,
  reader: Session,
  warehouse: Session,
  options: PreviewOptions,
): Promise<SourcePlan> {
  const key = sourceKey(source)
  const identity = await inspectSource(reader, source)
  const stored = await readStored(warehouse, key)
  const reason =
    options.mode === 'rebase'
      ? 'asked for'
      : stored.cursor?.snapshot == null
        ? 'first load'
        : stored.cursor.relation !== identity.relation
          ? 'source table was made anew'
          : null
  const snapshot = reason === null ? (stored.cursor?.snapshot ?? null) : null
  const pending = snapshot === null ? null : await pendingMarks(reader, source, snapshot)
  const hours: readonly ChangedHour[] =
    pending === null ? await allHours(reader, source) : await countRows(reader, source, pending.hours)
  const whole = reason === null ? 'no' : 'yes'
  const batches = planBatches(hours, whole, { ...defaultLimits[whole], shards: source.capture.shards })
  const names = namesOf(project)
  const transforms = descendantsOf(project.transforms, key)
  const stale = await staleOf(transforms, names, warehouse, stored.fingerprints)
  const plans: TransformPlan[] = []
  for (const transform of transforms) {
    if (options.select?.has(transform.name) === false) continue
    const isThere = (await columnsOf(warehouse, transform.schema, transform.table)).length > 0
    const intent = intentOf(transform, {
      whole,
      stale,
      isThere: isThere ? 'yes' : 'no',
      changed: hours.length > 0 ? 'yes' : 'no',
    })
    plans.push({
      transform: transform.name,
      ...intent,
      bytes: await bytesOf(transform, intent.action, names, warehouse, batches),
    })
  }
  return {
    source: key,
    mode: reason === null ? 'changes' : 'whole',
    reason,
    marks: pending?.marks ?? 0,
    cells: batches.reduce((sum, batch) => sum + batch.cells, 0),
    rows: batches.reduce((sum, batch) => sum + batch.rows, 0),
    batches: hours.length === 0 ? 0 : batches.length,
    hours: hours.map(({ hour, shards, rows }) => ({ hour, shards: shards === 'all' ? shards : shards.length, rows })),
    transforms: plans,
  }
}

/** A warehouse that was never run into has no ledger, and a plan makes none. */
async function readStored(warehouse: Session, key: string) {
  const isThere = (await columnsOf(warehouse, 'plinth', 'rollup_cursors')).length > 0
  if (!isThere) return { cursor: null, fingerprints: new Map<string, string>() }
  return { cursor: await readCursor(warehouse, key), fingerprints: await readFingerprints(warehouse) }
}

async function staleOf(
  transforms: readonly Transform[],
  names: Names,
  warehouse: Session,
  before: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, 'its SQL changed' | 'what it reads changes'>> {
  const stale = new Map<string, 'its SQL changed' | 'what it reads changes'>()
  for (const transform of transforms) {
    if (before.get(transform.name) !== (await fingerprintOf(transform, names, warehouse)))
      stale.set(transform.name, 'its SQL changed')
    else if (transform.refs.some(ref => stale.has(ref))) stale.set(transform.name, 'what it reads changes')
  }
  return stale
}

interface Situation {
  readonly whole: 'yes' | 'no'
  readonly stale: ReadonlyMap<string, 'its SQL changed' | 'what it reads changes'>
  readonly isThere: 'yes' | 'no'
  readonly changed: 'yes' | 'no'
}

function intentOf(
  transform: Transform,
  { whole, stale, isThere, changed }: Situation,
): Pick<TransformPlan, 'action' | 'reason'> {
  const why =
    isThere === 'no'
      ? 'there is no table yet'
      : whole === 'yes'
        ? 'everything is loaded'
        : (stale.get(transform.name) ?? null)
  if (transform.materialized === 'view')
    return why === null ? { action: 'leave', reason: null } : { action: 'make view', reason: why }
  if (why !== null) return { action: 'build anew', reason: why }
  if (changed === 'no') return { action: 'leave', reason: null }
  return hasCells(transform)
    ? { action: 'replace cells', reason: null }
    : { action: 'build anew', reason: 'what it reads changes' }
}

/** Where reading is billed, the engine is asked what the query would read; the bounds of what changed are literals in it. */
async function bytesOf(
  transform: Transform,
  action: TransformPlan['action'],
  names: Names,
  warehouse: Session,
  batches: readonly Batch[],
): Promise<number | null> {
  const spelling = spellingOf(warehouse)
  const { estimateBytes } = spelling
  if (!estimateBytes || action === 'leave' || action === 'make view') return null
  const shared = { engine: warehouse.engine.name, quote: spelling.name, session: warehouse, self: transform } as const
  const queries: string[] = []
  if (action === 'build anew')
    queries.push((await compile(transform.template, names, { ...shared, mode: 'whole' })).sql)
  else
    for (const batch of batches) {
      const listed = { ...batch, whole: 'yes', spelling, tables: { hour: '', day: '' } } as const
      queries.push(
        (await compile(transform.template, names, { ...shared, mode: 'cells', changedCells: changedCells(listed) }))
          .sql,
      )
    }
  let bytes = 0
  for (const query of queries) {
    const read = await estimateBytes(warehouse, query).catch((error: unknown) => {
      // What it reads may be a table that this run would make.
      if (error instanceof PlinthError && error.code === 'SQL_FAILED') return null
      throw error
    })
    if (read === null) return null
    bytes += read
  }
  return bytes
}

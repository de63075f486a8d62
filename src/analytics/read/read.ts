/**
 * Usage of any window, aligned to hours or not, in any time zone. Whole hours come from a rollup, mixed ones from the raw rows beside it, so the
 * answer is what the source would give at the snapshot that the warehouse is as of; the answer says which that is, and what is pending.
 */
import { withSession, withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { inspectSource, pendingMarks } from '../run/capture.ts'
import { choose, sketchFor } from './choose.ts'
import { namesOf } from '../project/compile.ts'
import { type RollupOptions, withWarehouse } from '../run/desk.ts'
import { readCursor } from '../ledger.ts'
import { readables } from './measures.ts'
import { type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { type Question, readMeasures, readQuantiles } from './reading.ts'
import { columnTypes, rowsOf, type UsageRow } from './reading-rows.ts'
import { hourMicros, isoOf, momentOf, planWindow, type Unit, units, type WindowPlan } from './window.ts'

export type { UsageRow } from './reading-rows.ts'

export type ReadOptions = Pick<RollupOptions, 'source' | 'warehouse' | 'waitMs' | 'emit'>

export interface ReadRequest {
  /** A date or time of the zone, or a moment with `Z` or an offset. */
  readonly from: string
  /** Not included. */
  readonly to: string
  /** IANA name or offset; default UTC. */
  readonly timeZone?: string | undefined
  /** `hour`, `day`, `week` or `month`, and columns such as `organization` for `organization_id`; nothing for one total. */
  readonly by?: readonly string[] | undefined
  /** Only these. */
  readonly organizations?: readonly string[] | undefined
  /** Values by column. */
  readonly where?: Readonly<Record<string, readonly string[]>> | undefined
  /** Name of the rollup; default the one with the fewest columns that can answer. */
  readonly transform?: string | undefined
  /** Between 0 and 1; default 0.5, 0.95 and 0.99. */
  readonly quantiles?: readonly number[] | undefined
  /** Default 10,000. */
  readonly rowsMax?: number | undefined
}

export interface UsageReading {
  readonly transform: string
  readonly timeZone: string
  /** The window in UTC. */
  readonly from: string
  readonly until: string
  readonly asOf: AsOf
  /** What of the source the warehouse does not hold yet; null when the source could not be asked. */
  readonly pending: Pending | null
  /** Names of what is in a row: the period, the keys, the measures, the quantiles. */
  readonly columns: readonly string[]
  /** By time, then by keys. Whole numbers are numbers, decimals texts. What has no usage has no row. */
  readonly rows: readonly UsageRow[]
  /** `yes` when there are more rows than were asked for. */
  readonly cut: 'yes' | 'no'
}

export interface AsOf {
  readonly source: string
  /** The source's snapshot that the warehouse equals, apart from pending cells. */
  readonly snapshot: string
  /** When the warehouse was brought there. */
  readonly movedAt: string
}

export interface Pending {
  readonly marks: number
  readonly cells: number
  /** Those of them that the window touches: without any, the answer is what the source holds now. */
  readonly cellsOfWindow: number
}

/** Reads usage. Throws USAGE for what cannot be asked, WAREHOUSE_FAILED before the first run, WAREHOUSE_BUSY, TRANSFORM_INVALID. */
export async function readUsage(project: Project, request: ReadRequest, options: ReadOptions): Promise<UsageReading> {
  const timeZone = request.timeZone ?? 'UTC'
  const { unit, columns } = split(request.by ?? [])
  const [from, until] = [momentOf(request.from, timeZone), momentOf(request.to, timeZone)]
  const plan = planWindow({ from, until, timeZone, unit })
  const names = namesOf(project)
  const quantiles = (request.quantiles ?? [0.5, 0.95, 0.99]).map(partOf)
  const all = await readables(project)
  const full: RollupOptions = { ...options, runId: 'read', owner: 'read' }
  const found = await withWarehouse(full, async warehouse => {
    const { where = {}, organizations = null, transform } = request
    const wanted = { columns, where, organizations, transform }
    const { readable, keys, filters } = await choose(warehouse, all, wanted)
    const rowsMax = request.rowsMax ?? 10_000
    const question: Question = { readable, plan, keys, filters, rowsMax }
    const sketch = await sketchFor(warehouse, all, question)
    const { asOf, result } = await atOneCursor(warehouse, readable.source, async () => ({
      measures: await readMeasures(warehouse, names, question),
      quantiles: sketch ? await readQuantiles(warehouse, names, { ...question, readable: sketch }, quantiles) : [],
    }))
    const types = await columnTypes(warehouse, readable)
    const shown = { ...result, types, sketch, parts: quantiles }
    return { readable, asOf, ...rowsOf(question, shown), cut: result.measures.length > rowsMax ? 'yes' : 'no' } as const
  })
  const { readable, asOf, columns: shown, rows, cut } = found
  const pending = await pendingOf(readable.source, asOf, plan, options)
  const window = { from: isoOf(from), until: isoOf(until) }
  return { transform: readable.transform.name, timeZone, ...window, asOf, pending, columns: shown, rows, cut }
}

/** Separates the period from the columns. */
function split(by: readonly string[]): { readonly unit: Unit | null; readonly columns: readonly string[] } {
  const isUnit = (word: string): word is Unit => units.some(unit => unit === word)
  const periods = by.filter(isUnit)
  if (periods.length > 1)
    throw new PlinthError('USAGE', `Usage by ${periods.join(' and ')} at once is not one answer.`, {
      hint: `Ask by one of ${units.join(', ')}.`,
    })
  return { unit: periods[0] ?? null, columns: by.filter(word => !isUnit(word)) }
}

function partOf(quantile: number): number {
  const part = Math.round(quantile * 1_000_000)
  if (part > 0 && part <= 1_000_000) return part
  throw new PlinthError('USAGE', `${quantile} is no quantile.`, {
    hint: 'Write numbers above 0 and up to 1, such as 0.95.',
  })
}

/** Everything that is read belongs to one commit of a run; where a session has no transactions to read in, it is read again if a run ended meanwhile. */
async function atOneCursor<T>(
  warehouse: Session,
  source: CapturedSource,
  work: () => Promise<T>,
): Promise<{ readonly asOf: AsOf; readonly result: T }> {
  if (warehouse.engine.can.statefulSessions)
    return withTransaction(warehouse, async () => ({ asOf: await asOfNow(warehouse, source), result: await work() }))
  for (let attempt = 0; attempt < 5; attempt++) {
    const asOf = await asOfNow(warehouse, source)
    const result = await work()
    if ((await asOfNow(warehouse, source)).snapshot === asOf.snapshot) return { asOf, result }
  }
  throw new PlinthError('WAREHOUSE_BUSY', 'Runs moved the warehouse five times while it was read.', {
    at: { object: warehouse.address },
    hint: 'Read a smaller window, or run rollups less often.',
  })
}

async function asOfNow(warehouse: Session, source: CapturedSource): Promise<AsOf> {
  const cursor = await readCursor(warehouse, sourceKey(source))
  if (cursor?.snapshot) return { source: sourceKey(source), snapshot: cursor.snapshot, movedAt: cursor.movedAt }
  throw new PlinthError('WAREHOUSE_FAILED', `${sourceKey(source)} was never rolled up, so there is nothing to read.`, {
    at: { object: warehouse.address },
    hint: 'Run `plinth rollup run` first.',
  })
}

/** The answer stands without the source; only what is pending does not. */
async function pendingOf(
  source: CapturedSource,
  { snapshot }: AsOf,
  plan: WindowPlan,
  options: ReadOptions,
): Promise<Pending | null> {
  const { engine, url } = options.source
  const settings = { TimeZone: 'UTC', DateStyle: 'ISO, YMD' }
  const first = isoOf(Math.floor(plan.from / hourMicros) * hourMicros)
  const last = isoOf(plan.until)
  try {
    return await withSession(engine, url, { applicationName: 'plinth rollup read', settings }, async reader => {
      await inspectSource(reader, source)
      const { marks, hours } = await withTransaction(reader, () => pendingMarks(reader, source, snapshot), 'snapshot')
      const cellsIn = (list: typeof hours) => list.reduce((sum, { shards }) => sum + shards.length, 0)
      const touched = hours.filter(({ hour }) => hour >= first && hour < last)
      return { marks, cells: cellsIn(hours), cellsOfWindow: cellsIn(touched) }
    })
  } catch (error) {
    if (!(error instanceof PlinthError) || error.code !== 'DATABASE_UNREACHABLE') throw error
    options.emit({
      type: 'warning',
      message: 'The source cannot be reached, so what is pending is unknown.',
      hint: error.hint ?? 'The answer is what the source held at the snapshot that it names.',
    })
    return null
  }
}

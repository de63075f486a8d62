/**
 * Usage of any window, aligned to hours or not, in any time zone. Whole hours come from a rollup, mixed ones from the raw rows beside it, so the
 * answer is what the source would give at the snapshot that the warehouse is as of; the answer says which that is, and what is pending.
 */
import { withSession, withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { nearest, PlinthError } from '../errors.ts'
import { columnKind, scaleOf } from './canonical.ts'
import { inspectSource, pendingMarks } from './capture.ts'
import { spellingOf } from './cells.ts'
import { namesOf } from './compile.ts'
import { type RollupOptions, withWarehouse } from './desk.ts'
import { readCursor } from './ledger.ts'
import { type Readable, readables } from './measures.ts'
import { type CapturedSource, type Project, sourceKey } from './project.ts'
import { type Answer, type Filter, type Question, readMeasures, readQuantiles } from './reading.ts'
import { hourMicros, isoOf, momentOf, offsetText, planWindow, type Unit, units, type WindowPlan } from './window.ts'

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

export type UsageRow = Readonly<Record<string, string | number | null>>

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
    const wanted = { columns, where: request.where ?? {}, transform: request.transform }
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

interface Wanted {
  readonly columns: readonly string[]
  readonly where: Readonly<Record<string, readonly string[]>>
  readonly transform: string | undefined
}

/** The rollup that answers: the one named, or the one with the fewest columns among those that tell apart what is asked. */
async function choose(warehouse: Session, all: readonly Readable[], wanted: Wanted) {
  const candidates: { readonly readable: Readable; readonly keys: readonly Column[] }[] = []
  for (const readable of all.filter(({ measures }) => Object.keys(measures).length > 0))
    candidates.push({ readable, keys: await keysOf(warehouse, readable) })
  const named = candidates.filter(({ readable }) => readable.transform.name === wanted.transform)
  const known = candidates.map(({ readable }) => readable.transform.name)
  if (wanted.transform !== undefined && named.length === 0) throw unknown('rollup', wanted.transform, known)
  const among = wanted.transform === undefined ? candidates : named
  const asked = [...wanted.columns, ...Object.keys(wanted.where)]
  const able = among.filter(({ keys }) => asked.every(word => columnNamed(word, keys) !== undefined))
  const [chosen] = able.sort((a, b) => a.keys.length - b.keys.length)
  if (!chosen) throw cannotAnswer(asked, among)
  const { readable, keys } = chosen
  const filters: Filter[] = Object.entries(wanted.where).map(([word, values]) => {
    const { name, type } = columnNamed(word, keys) as Column
    return { column: name, type, values }
  })
  return { readable, keys: wanted.columns.map(word => (columnNamed(word, keys) as Column).name), filters }
}

interface Column {
  readonly name: string
  readonly type: string
}

/** Columns that rows are told apart by: all but cell and measures. */
async function keysOf(warehouse: Session, { transform, measures, sketch }: Readable): Promise<readonly Column[]> {
  const { bucket, shard } = transform.cell
  const others = new Set([bucket, shard, ...Object.keys(measures), ...(sketch ? [sketch.bin, sketch.count] : [])])
  const columns = await spellingOf(warehouse).columns(warehouse, transform.schema, transform.name)
  if (columns.length > 0) return columns.filter(({ name }) => !others.has(name))
  throw new PlinthError('WAREHOUSE_FAILED', `The warehouse has no table ${transform.schema}.${transform.name}.`, {
    at: { object: warehouse.address },
    hint: 'Apply the migrations of the warehouse first: plinth apply --track analytics.',
  })
}

/** `organization` means `organization_id` where there is no column of the shorter name. */
function columnNamed(word: string, keys: readonly Column[]): Column | undefined {
  return keys.find(({ name }) => name === word) ?? keys.find(({ name }) => name === `${word}_id`)
}

function cannotAnswer(
  asked: readonly string[],
  among: readonly { readonly readable: Readable; readonly keys: readonly Column[] }[],
): PlinthError {
  const all = [...new Set(among.flatMap(({ keys }) => keys.map(({ name }) => name.replace(/_id$/, ''))))]
  const stranger = asked.find(word => !among.some(({ keys }) => columnNamed(word, keys)))
  if (stranger !== undefined) return unknown('column', stranger, [...units, ...all])
  const able = among.map(
    ({ readable, keys }) => `${readable.transform.name} by ${keys.map(({ name }) => name).join(', ')}`,
  )
  return new PlinthError('USAGE', `No rollup tells usage apart by ${asked.join(' and ')}.`, {
    hint: `There is ${able.join('; ') || 'no transform with meta.plinth.measures'}.`,
  })
}

function unknown(noun: string, word: string, known: readonly string[]): PlinthError {
  const guess = nearest(word, known)
  return new PlinthError('USAGE', `There is no ${noun} "${word}" to read usage by.`, {
    hint: guess ? `Did you mean ${guess}?` : `Known: ${known.join(', ')}.`,
  })
}

/** A sketch of the same source with the same columns; none where nothing of that kind is kept. */
async function sketchFor(warehouse: Session, all: readonly Readable[], question: Question): Promise<Readable | null> {
  const needed = [...question.keys, ...question.filters.map(({ column }) => column)]
  for (const readable of all) {
    if (!readable.sketch || readable.source !== question.readable.source) continue
    const keys = await keysOf(warehouse, readable)
    if (needed.every(column => keys.some(({ name }) => name === column))) return readable
  }
  return null
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

async function columnTypes(warehouse: Session, { transform }: Readable): Promise<ReadonlyMap<string, string>> {
  const columns = await spellingOf(warehouse).columns(warehouse, transform.schema, transform.name)
  return new Map(columns.map(({ name, type }) => [name, type]))
}

interface Shown {
  readonly measures: readonly Answer[]
  readonly quantiles: readonly Answer[]
  readonly types: ReadonlyMap<string, string>
  readonly sketch: Readable | null
  readonly parts: readonly number[]
}

function rowsOf(question: Question, { measures, quantiles, types, sketch, parts }: Shown) {
  const { plan, keys, readable, rowsMax } = question
  const of = sketch?.sketch?.of
  const quantileNames = of === undefined ? [] : parts.map(part => `${of}_p${part / 10_000}`)
  const groupOf = (answer: Answer) =>
    JSON.stringify([answer['period_start'], answer['period_offset'], ...keys.map(key => answer[key])])
  const byGroup = new Map(quantiles.map(answer => [groupOf(answer), answer]))
  const rows = measures.slice(0, rowsMax).map((answer): UsageRow => {
    const sketched = byGroup.get(groupOf(answer))
    return Object.fromEntries([
      ...(plan.unit === null ? [] : [[plan.unit, periodText(answer, plan.unit)]]),
      ...keys.map(key => [key, plain(answer[key], types.get(key))]),
      ...Object.keys(readable.measures).map(name => [name, plain(answer[name], types.get(name))]),
      ...quantileNames.map((name, index) => [name, rounded(sketched?.[`quantile_${index}`])]),
    ])
  })
  const period = plan.unit === null ? [] : [plan.unit]
  return { columns: [...period, ...keys, ...Object.keys(readable.measures), ...quantileNames], rows }
}

/** `2026-03`, `2026-03-29`, or `2026-03-29T02:00:00+02:00`. */
function periodText(answer: Answer, unit: Unit): string {
  const start = String(answer['period_start'])
  if (unit === 'hour') return `${start.slice(0, 19)}${offsetText(Number(answer['period_offset']))}`
  return start.slice(0, unit === 'month' ? 7 : 10)
}

/** Engines write decimals with all their digits or without the last zeros, and sums of integers wider than their columns. */
function plain(value: unknown, type = ''): string | number | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return value
  const text = String(value)
  if (/int/i.test(type)) return Number.isSafeInteger(Number(text)) ? Number(text) : text
  if (!/^(big)?(numeric|decimal)/i.test(type) || columnKind(type.replace(/^big/i, '')) !== 'decimal') return text
  const [whole = '0', digits = ''] = text.split('.')
  const scale = scaleOf(type.replace(/^big/i, ''))
  return scale === 0 ? whole : `${whole}.${digits.padEnd(scale, '0')}`
}

function rounded(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.round(Number(value) * 1000) / 1000
}

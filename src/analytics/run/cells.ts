/** The cells of a batch as tables of the warehouse's transaction, one for each grain, and the SQL that speaks of them. */
import type { Session, Warehouse } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { ChangedCells } from '../project/compile.ts'
import { type Batch, hourAfter, stretchesOf } from './plan.ts'
import type { Grain, TransformCell } from '../project/project.ts'

/** Where the cells of a batch are listed: tables with `bucket` and `shard`, one for each grain. */
export type CellTables = Readonly<Record<Grain, string>>

/** A batch whose cells a warehouse knows. */
export interface ListedBatch extends Batch {
  readonly spelling: Warehouse
  readonly tables: CellTables
}

/** What transforms are told through the variable `changed_cells`. */
export function changedCells(batch: ListedBatch): Readonly<Record<Grain, ChangedCells>> {
  const { spelling, tables, whole } = batch
  const told = (grain: Grain): ChangedCells => {
    const { from, until } = boundsOf(batch)[grain]
    return {
      relation: whole === 'yes' ? null : tables[grain],
      organizations: whole === 'yes' || !batch.named ? null : tables[grain],
      from: spelling.moment(from, 'before all'),
      until: spelling.moment(until, 'after all'),
    }
  }
  return { hour: told('hour'), day: told('day') }
}

/** Lists the cells that the plan names. A whole rebuild needs none: everything between its bounds is replaced. */
export async function listCells(session: Session, batch: Batch): Promise<ListedBatch> {
  const spelling = spellingOf(session)
  const listed = { ...batch, spelling, tables: temporary }
  if (batch.whole === 'yes') return listed
  if (spelling.deferred) return { ...listed, tables: await stageCells(session, spelling.deferred, batch) }
  const { named } = batch
  const whose = named ? `, organization ${named.type} not null` : ''
  for (const [grain, type] of [
    ['hour', 'timestamptz'],
    ['day', 'date'],
  ] as const)
    await session.query(
      `create or replace temp table ${temporary[grain].replace('temp.main.', '')} (bucket ${type} not null, shard smallint not null${whose})`,
    )
  const cells: readonly NamedCell[] = named ? namedCellsOf(batch) : cellsOf(batch)
  // As texts, which are cut by the engine: taking thousands of values apart as SQL would take longer than all else here.
  const cut = (text: string, type: string) => `cast(unnest(string_split(${text}, ' ')) as ${type})`
  await session.query(
    `insert into ${temporary.hour}
     select ${[cut('$1', 'timestamptz'), cut('$2', 'smallint'), ...(named ? [cut('$3', named.type)] : [])].join(', ')}
     where $1 <> ''`,
    [
      cells.map(({ hour }) => hour).join(' '),
      cells.map(({ shard }) => shard).join(' '),
      ...(named ? [cells.map(({ organization = '' }) => organization).join(' ')] : []),
    ],
  )
  await session.query(
    `insert into ${temporary.day} select distinct ${spelling.dayOf('bucket')}, shard${named ? ', organization' : ''} from ${temporary.hour}`,
  )
  return listed
}

/** The same cells, of which all organizations are meant. */
export function ofAll(batch: ListedBatch): ListedBatch {
  return { ...batch, named: undefined }
}

/** A condition on a table's own columns: its row is in one of the batch's cells. */
export function inCells(alias: string, cell: TransformCell, batch: ListedBatch): string {
  const { spelling, tables } = batch
  const bucket = `${alias}.${spelling.name(cell.bucket)}`
  const within = withinBounds(bucket, cell.grain, batch)
  if (batch.whole === 'yes') return within
  const shard = `${alias}.${spelling.name(cell.shard)}`
  const organization =
    batch.named && cell.organization !== undefined ? `${alias}.${spelling.name(cell.organization)}` : undefined
  return `${within} and ${spelling.isListed(bucket, shard, tables[cell.grain], organization)}`
}

/** The same for the alias `raw` of the raw table: of organizations that are named, their rows alone. */
export function rawCondition(batch: ListedBatch): string {
  return inCells('raw', { ...hourly, organization: batch.named?.name }, batch)
}

/** The same for the alias `raw` of whatever is kept by hour and shard: the cells as a whole. */
export function cellCondition(batch: ListedBatch): string {
  return inCells('raw', hourly, batch)
}

const hourly = { bucket: 'bucket_hour', grain: 'hour', shard: 'shard' } as const

/** The batch that holds exactly these cells, as for a repair. */
export function batchOfCells(cells: readonly { readonly hour: string; readonly shard: number }[]): Batch {
  const byHour = new Map<string, number[]>()
  for (const { hour, shard } of cells) byHour.set(hour, [...(byHour.get(hour) ?? []), shard])
  const hours = [...byHour]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([hour, shards]) => ({ hour, shards: shards.sort((a, b) => a - b), rows: 0 }))
  const last = hours.at(-1)
  return {
    from: hours[0]?.hour ?? null,
    until: last ? hourAfter(last.hour) : null,
    hours,
    whole: 'no',
    rows: 0,
    cells: cells.length,
  }
}

/**
 * `condition` on the alias of a table, and where its rows lie, which says no more and lets the engine pass over what lies before the first of
 * them: in a batch that was just replaced, all that stood there before. Whether something is left in the cells is found by their keys alone.
 */
export async function lastIn(
  session: Session,
  { schema, name }: { readonly schema: string; readonly name: string },
  alias: string,
  condition: string,
): Promise<string> {
  const { rowId, columns, relation } = spellingOf(session)
  // A column of that name would be meant instead.
  if (!rowId || (await columns(session, schema, name)).some(column => column.name.toLowerCase() === rowId))
    return condition
  return `${alias}.${rowId} >= (select min(${alias}.${rowId}) from ${relation(schema, name)} as ${alias} where ${condition}) and ${condition}`
}

export function spellingOf({ engine }: Session): Warehouse {
  if (engine.warehouse) return engine.warehouse
  throw new PlinthError('ENGINE_UNSUPPORTED', `${engine.name} cannot hold rollups.`, {
    hint: 'Name a duckdb: or bigquery: URL as the warehouse.',
  })
}

const temporary: CellTables = {
  hour: 'temp.main.plinth_changed_hour',
  day: 'temp.main.plinth_changed_day',
}

type Bounds = { readonly from: string | null; readonly until: string | null }

/** Bounds within which all cells of a grain lie; null is open. */
function boundsOf({ from, until }: Bounds): Readonly<Record<Grain, Bounds>> {
  const dayStart = (at: string) => `${at.slice(0, 10)}T00:00:00.000000Z`
  const dayEnd = (at: string) =>
    dayStart(at) === at ? at : dayStart(new Date(Date.parse(at) + 86_400_000).toISOString())
  return {
    hour: { from, until },
    day: { from: from === null ? null : dayStart(from), until: until === null ? null : dayEnd(until) },
  }
}

/**
 * Literal bounds, so that the engine reads no more than what lies within. Where reading is billed, late hours that are far apart do not pay for
 * what lies between them.
 */
function withinBounds(bucket: string, grain: Grain, batch: ListedBatch): string {
  const { spelling } = batch
  const literal = (at: string | null, otherwise: 'before all' | 'after all') =>
    grain === 'day' ? spelling.day(at?.slice(0, 10) ?? null, otherwise) : spelling.moment(at, otherwise)
  const between = (bounds: Bounds) => {
    const { from, until } = boundsOf(bounds)[grain]
    // Holding every row against the ends of time would take longer than adding it up.
    if (from === null && until === null) return `${bucket} is not null`
    return `${bucket} >= ${literal(from, 'before all')} and ${bucket} < ${literal(until, 'after all')}`
  }
  if (!spelling.deferred || batch.whole === 'yes' || batch.hours.length === 0) return between(batch)
  const stretches = stretchesOf(batch.hours, stretchesMax).map(between)
  return stretches.length === 1 ? between(batch) : `(${stretches.map(stretch => `(${stretch})`).join(' or ')})`
}

const stretchesMax = 100

async function stageCells(
  session: Session,
  deferred: NonNullable<Warehouse['deferred']>,
  batch: Batch,
): Promise<CellTables> {
  const hours = cellsOf(batch)
  const days = new Set(hours.map(({ hour, shard }) => `${hour.slice(0, 10)},${shard}\n`))
  const columns = (type: string) => [
    { name: 'bucket', type },
    { name: 'shard', type: 'smallint' },
  ]
  const [hour, day] = await Promise.all([
    deferred.stage(session, {
      columns: columns('timestamptz'),
      source: lines(hours.map(({ hour, shard }) => `${hour},${shard}\n`)),
    }),
    deferred.stage(session, { columns: columns('date'), source: lines([...days]) }),
  ])
  return { hour, day }
}

async function* lines(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts
}

function cellsOf(batch: Batch): { readonly hour: string; readonly shard: number }[] {
  return batch.hours.flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => ({ hour, shard }))))
}

interface NamedCell {
  readonly hour: string
  readonly shard: number
  readonly organization?: string
}

function namedCellsOf(batch: Batch): NamedCell[] {
  return batch.hours.flatMap(({ hour, organizations }) =>
    [...(organizations ?? [])].flatMap(([shard, some]) => some.map(organization => ({ hour, shard, organization }))),
  )
}

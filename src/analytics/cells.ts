/** The cells of a batch as tables of the warehouse's transaction, one for each grain, and the SQL that speaks of them. */
import type { Session } from '../engines/engine.ts'
import type { ChangedCells } from './compile.ts'
import { type Batch, hourAfter } from './plan.ts'
import type { Grain, Source, Transform } from './project.ts'

/** Temporary tables: `plinth_changed_hour` and `plinth_changed_day`, each with `bucket` and `shard`. */
export const cellTables: Readonly<Record<Grain, string>> = {
  hour: 'temp.main.plinth_changed_hour',
  day: 'temp.main.plinth_changed_day',
}

/** Bounds within which all cells of a grain lie, as literals. */
export function boundsOf(
  batch: Pick<Batch, 'from' | 'until'>,
): Readonly<Record<Grain, { readonly from: string; readonly until: string }>> {
  const hour = (at: string | null, otherwise: string) => `timestamptz '${at ?? otherwise}'`
  const dayStart = (at: string) => `${at.slice(0, 10)}T00:00:00.000000Z`
  const dayEnd = (at: string) =>
    dayStart(at) === at ? at : dayStart(new Date(Date.parse(at) + 86_400_000).toISOString())
  return {
    hour: { from: hour(batch.from, '-infinity'), until: hour(batch.until, 'infinity') },
    day: {
      from: hour(batch.from === null ? null : dayStart(batch.from), '-infinity'),
      until: hour(batch.until === null ? null : dayEnd(batch.until), 'infinity'),
    },
  }
}

/** What transforms are told through the variable `changed_cells`. */
export function changedCells(batch: Pick<Batch, 'from' | 'until'>): Readonly<Record<Grain, ChangedCells>> {
  const bounds = boundsOf(batch)
  return { hour: { relation: cellTables.hour, ...bounds.hour }, day: { relation: cellTables.day, ...bounds.day } }
}

/** Lists the cells that the plan names. In a whole rebuild these are what the warehouse has now; loaded rows add theirs afterwards. */
export async function listCells(
  session: Session,
  batch: Batch,
  source: Source,
  transforms: readonly Transform[],
): Promise<void> {
  for (const [grain, type] of [
    ['hour', 'timestamptz'],
    ['day', 'date'],
  ] as const)
    await session.query(
      `create or replace temp table ${bare(cellTables[grain])} (bucket ${type} not null, shard smallint not null)`,
    )
  if (batch.whole === 'no') {
    const cells = batch.hours.flatMap(({ hour, shards }) =>
      shards === 'all' ? [] : shards.map(shard => `('${hour}', ${shard})`),
    )
    for (let from = 0; from < cells.length; from += 5000)
      await session.query(`insert into ${cellTables.hour} values ${cells.slice(from, from + 5000).join(', ')}`)
  } else {
    const { from, until } = boundsOf(batch).hour
    await addCells(
      session,
      'hour',
      `select bucket_hour, shard from "${source.schema}"."${source.identifier}" where bucket_hour >= ${from} and bucket_hour < ${until}`,
    )
    for (const transform of transforms) await addOwnCells(session, batch, transform)
  }
  await listDays(session)
}

/** After rows were loaded in a whole rebuild: their cells, and the days of all. */
export async function listLoadedCells(session: Session, batch: Batch, source: Source): Promise<void> {
  const { from, until } = boundsOf(batch).hour
  await addCells(
    session,
    'hour',
    `select bucket_hour, shard from "${source.schema}"."${source.identifier}" where bucket_hour >= ${from} and bucket_hour < ${until}`,
  )
  await listDays(session)
}

/** A condition on a table's own columns: its row is in one of the listed cells. */
export function inCells(
  alias: string,
  cell: { readonly bucket: string; readonly grain: Grain; readonly shard: string },
  batch: Pick<Batch, 'from' | 'until'>,
): string {
  const bounds = boundsOf(batch)[cell.grain]
  const cast = cell.grain === 'day' ? (literal: string) => literalDate(literal) : (literal: string) => literal
  return `${alias}.${cell.bucket} >= ${cast(bounds.from)} and ${alias}.${cell.bucket} < ${cast(bounds.until)}
    and exists (select 1 from ${cellTables[cell.grain]} as cell where cell.bucket = ${alias}.${cell.bucket} and cell.shard = ${alias}.${cell.shard})`
}

/** A condition on the alias `raw`: rows of the batch's cells, in the raw table or whatever else is kept by hour and shard. */
export function rawCondition(batch: Batch): string {
  const { from, until } = boundsOf(batch).hour
  if (batch.whole === 'yes') return `raw.bucket_hour >= ${from} and raw.bucket_hour < ${until}`
  return inCells('raw', { bucket: 'bucket_hour', grain: 'hour', shard: 'shard' }, batch)
}

/** A hand-made row may stand in a cell that neither source nor raw has. */
async function addOwnCells(session: Session, batch: Batch, transform: Transform): Promise<void> {
  if (!transform.cell) return
  const { bucket, grain, shard } = transform.cell
  const { from, until } = boundsOf(batch)[grain]
  const cast = grain === 'day' ? literalDate : (literal: string) => literal
  await addCells(
    session,
    grain,
    `select ${bucket}, ${shard} from "${transform.schema}"."${transform.name}" where ${bucket} >= ${cast(from)} and ${bucket} < ${cast(until)}`,
  )
}

async function addCells(session: Session, grain: Grain, select: string): Promise<void> {
  await session.query(
    `insert into ${cellTables[grain]} select * from (${select}) except select bucket, shard from ${cellTables[grain]}`,
  )
}

async function listDays(session: Session): Promise<void> {
  await addCells(session, 'day', `select cast(bucket at time zone 'UTC' as date), shard from ${cellTables.hour}`)
}

function bare(name: string): string {
  return name.replace('temp.main.', '')
}

/** A bound of days compares with a date column; the bounds of a day grain lie at midnight. */
function literalDate(literal: string): string {
  return literal.replace(/^timestamptz '(-?infinity|\d{4}-\d\d-\d\d).*'$/, "date '$1'")
}

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

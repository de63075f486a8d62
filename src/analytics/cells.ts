/** The cells of a batch as tables of the warehouse's transaction, one for each grain, and the SQL that speaks of them. */
import type { Session } from '../engines/engine.ts'
import type { ChangedCells } from './compile.ts'
import { type Batch, hourAfter } from './plan.ts'
import type { Grain, TransformCell } from './project.ts'

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
export function changedCells(batch: Bounded): Readonly<Record<Grain, ChangedCells>> {
  const bounds = boundsOf(batch)
  if (batch.whole === 'yes') return { hour: { relation: null, ...bounds.hour }, day: { relation: null, ...bounds.day } }
  return { hour: { relation: cellTables.hour, ...bounds.hour }, day: { relation: cellTables.day, ...bounds.day } }
}

/** Lists the cells that the plan names. A whole rebuild needs none: everything between its bounds is replaced. */
export async function listCells(session: Session, batch: Batch): Promise<void> {
  if (batch.whole === 'yes') return
  for (const [grain, type] of [
    ['hour', 'timestamptz'],
    ['day', 'date'],
  ] as const)
    await session.query(
      `create or replace temp table ${cellTables[grain].replace('temp.main.', '')} (bucket ${type} not null, shard smallint not null)`,
    )
  const cells = batch.hours.flatMap(({ hour, shards }) =>
    shards === 'all' ? [] : shards.map(shard => `('${hour}', ${shard})`),
  )
  for (let from = 0; from < cells.length; from += 5000)
    await session.query(`insert into ${cellTables.hour} values ${cells.slice(from, from + 5000).join(', ')}`)
  await session.query(
    `insert into ${cellTables.day} select distinct cast(bucket at time zone 'UTC' as date), shard from ${cellTables.hour}`,
  )
}

/** A condition on a table's own columns: its row is in one of the batch's cells. */
export function inCells(alias: string, cell: TransformCell, batch: Bounded): string {
  const bounds = boundsOf(batch)[cell.grain]
  const literal = (bound: string) => (cell.grain === 'day' ? literalDate(bound) : bound)
  const bucket = `${alias}."${cell.bucket}"`
  const within = `${bucket} >= ${literal(bounds.from)} and ${bucket} < ${literal(bounds.until)}`
  if (batch.whole === 'yes') return within
  return `${within}
    and exists (select 1 from ${cellTables[cell.grain]} as cell where cell.bucket = ${bucket} and cell.shard = ${alias}."${cell.shard}")`
}

/** The same for the alias `raw`: the raw table, or whatever else is kept by hour and shard. */
export function rawCondition(batch: Bounded): string {
  return inCells('raw', { bucket: 'bucket_hour', grain: 'hour', shard: 'shard' }, batch)
}

/** A bound of days is compared with a date column; the bounds of that grain lie at midnight. */
function literalDate(literal: string): string {
  return literal.replace(/^timestamptz '(-?infinity|\d{4}-\d\d-\d\d).*'$/, "date '$1'")
}

type Bounded = Pick<Batch, 'from' | 'until' | 'whole'>

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

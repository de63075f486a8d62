/**
 * About how many rows the hours of a source hold. Batches are bounded by it, for which near is near enough: of a large table a thousand
 * pages are looked at rather than all of them. Nothing that is exact rests on it.
 */
import type { Session } from '../../engines/engine.ts'
import { hourOf, type Marks, shardOf } from './capture.ts'
import { type ChangedHour, hourAfter } from './plan.ts'
import type { CapturedSource } from '../project/project.ts'

/** Every hour of the source, those of a large table by whole days, in which hours may be empty. */
export async function allHours(session: Session, source: CapturedSource): Promise<ChangedHour[]> {
  const sampled = await sample(session, source, 'true')
  const hours = sampled.sparse === 'yes' ? wholeDays([...sampled.rows.keys()]) : [...sampled.rows.keys()].sort()
  return hours.map(hour => ({ hour, shards: 'all' as const, rows: sampled.rows.get(hour) ?? 0 }))
}

/** The hours that were marked, with the rows of their marked shards: each shard is taken to have its part of every hour. */
export async function countRows(
  session: Session,
  source: CapturedSource,
  hours: Marks['hours'],
): Promise<ChangedHour[]> {
  const [first, last] = [hours[0], hours.at(-1)]
  if (!first || !last) return []
  const time = `event.${source.capture.timeColumn}`
  const { rows, shares } = await sample(
    session,
    source,
    `${time} >= '${first.hour}' and ${time} < '${hourAfter(last.hour)}'`,
  )
  return hours.map(({ hour, shards }) => {
    const share = shards === 'all' ? 1 : shards.reduce((sum, shard) => sum + (shares.get(shard) ?? 0), 0)
    return { hour, shards, rows: Math.round((rows.get(hour) ?? 0) * share) }
  })
}

interface Sampled {
  readonly rows: ReadonlyMap<string, number>
  /** What part of the rows is in a shard. */
  readonly shares: ReadonlyMap<number, number>
  /** Hours of few rows may be missing. */
  readonly sparse: 'yes' | 'no'
}

const pagesMax = 1000

async function sample(session: Session, source: CapturedSource, filter: string): Promise<Sampled> {
  const pages = await pagesOf(session, source)
  const share = pages > pagesMax * 2 ? pagesMax / pages : 1
  const sampled = share < 1 ? ` tablesample system (${(share * 100).toPrecision(6)}) repeatable (0)` : ''
  const { rows } = await session.query<{ hour: string | null; shard: number | string | null; rows: string }>(
    `select hour, shard, count(*) as rows
     from (select ${hourOf(source)} as hour, ${shardOf(source)} as shard from ${source.capture.table} as event${sampled} where ${filter}) as event
     group by grouping sets ((hour), (shard))`,
  )
  const byHour = rows.filter(row => row.hour !== null)
  const all = byHour.reduce((sum, row) => sum + Number(row.rows), 0)
  return {
    rows: new Map(byHour.map(row => [row.hour ?? '', Math.round(Number(row.rows) / share)])),
    shares: new Map(rows.flatMap(row => (row.shard === null ? [] : [[Number(row.shard), Number(row.rows) / all]]))),
    sparse: share < 1 ? 'yes' : 'no',
  }
}

/** None where a part of the table is foreign, of which no sample can be taken. */
async function pagesOf(session: Session, source: CapturedSource): Promise<number> {
  const { rows } = await session.query<{ pages: string }>(
    `with recursive part as (
       select $1::regclass::oid as relation
       union all
       select child.inhrelid from part join pg_inherits as child on child.inhparent = part.relation
     )
     select case when bool_and(class.relkind in ('r', 'p')) then coalesce(sum(pg_relation_size(class.oid)), 0) else 0 end
         / current_setting('block_size')::bigint as pages
     from part
     join pg_class as class on class.oid = part.relation`,
    [source.capture.table],
  )
  return Number(rows[0]?.pages ?? 0)
}

/** All hours of the days on which one was seen. Infinities belong to no day. */
function wholeDays(hours: readonly string[]): string[] {
  const days = new Set(
    hours.filter(hour => /^\d{4}-/.test(hour)).map(hour => Date.parse(`${hour.slice(0, 10)}T00:00:00Z`)),
  )
  return [...days]
    .sort((a, b) => a - b)
    .flatMap(day => Array.from({ length: 24 }, (_, hour) => new Date(day + hour * 3_600_000).toISOString()))
    .map(moment => moment.replace('.000Z', '.000000Z'))
}

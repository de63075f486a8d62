/** Rotation: each time the days whose proof is oldest, as many as it takes so that every day is proved once in so many days. */
import type { Session } from '../../engines/engine.ts'
import { spellingOf } from '../run/cells.ts'
import type { Batch } from '../run/plan.ts'
import { type CapturedSource, sourceKey } from '../project/project.ts'
import type { Stretch } from '../seal/sealed.ts'
import { rawTable } from '../run/step.ts'

const dayMs = 86_400_000

/**
 * Days from the first one that the warehouse has until today; the first stretch begins with time and the last one ends with it, so that what
 * only the source has is found as well. The share is that of the time since the last rotation, and never less than that of an hour.
 */
export async function nextStretches(
  warehouse: Session,
  source: CapturedSource,
  readAt: string,
  everyDays: number,
): Promise<Stretch[]> {
  const bounds = await warehouse.query<{ first: string | null; last: string | null }>(
    `select min(bucket_hour) as first, max(bucket_hour) as last from ${rawTable(warehouse, source)} as raw`,
  )
  const dated = (at: string | null | undefined) => (at && /^\d{4}-/.test(at) ? at.slice(0, 10) : readAt.slice(0, 10))
  const first = dated(bounds.rows[0]?.first)
  const last = [dated(bounds.rows[0]?.last), readAt.slice(0, 10)].sort().at(-1) ?? first
  const days = calendar(first, last)
  const { rows } = await warehouse.query<{ day: string; proved_at: string }>(
    'select bucket_day as day, max(proved_at) as proved_at from plinth.rollup_proofs where source = $1 group by bucket_day',
    [sourceKey(source)],
  )
  const proved = new Map(rows.map(row => [row.day, row.proved_at]))
  const latest = rows
    .map(row => row.proved_at)
    .sort()
    .at(-1)
  const sinceMs = latest === undefined ? 0 : Date.parse(readAt) - Date.parse(latest)
  const share = Math.max(sinceMs, dayMs / 24) / (everyDays * dayMs)
  const count = Math.min(days.length, Math.max(1, Math.ceil(days.length * share)))
  const chosen = days
    .map(day => ({ day, at: proved.get(day) ?? '' }))
    .sort((a, b) => (a.at === b.at ? (a.day < b.day ? -1 : 1) : a.at < b.at ? -1 : 1))
    .slice(0, count)
    .map(({ day }) => day)
    .sort()
  return chosen.map(day => ({
    from: day === first ? null : startOf(day),
    until: day === last ? null : startOf(dayAfter(day)),
  }))
}

/** Within the transaction that proved the stretch, which is a day, or the part of one on this side of the seals. */
export async function recordRotation(
  warehouse: Session,
  source: CapturedSource,
  batch: Batch,
  readAt: string,
  runId: string,
): Promise<void> {
  const day =
    batch.from?.slice(0, 10) ?? (batch.until === null ? readAt.slice(0, 10) : dayBefore(batch.until.slice(0, 10)))
  const { day: literal, loadCsv } = spellingOf(warehouse)
  await warehouse.query(
    `delete from plinth.rollup_proofs where source = $1 and bucket_day = ${literal(day, 'before all')}`,
    [sourceKey(source)],
  )
  await loadCsv(warehouse, {
    table: 'plinth.rollup_proofs',
    columns: [
      { name: 'source', type: 'varchar' },
      { name: 'bucket_day', type: 'date' },
      { name: 'proved_at', type: 'timestamptz' },
      { name: 'run_id', type: 'varchar' },
    ],
    source: oneLine(`${sourceKey(source)},${day},${readAt},"${runId.replaceAll('"', '""')}"\n`),
  })
}

async function* oneLine(line: string): AsyncGenerator<string> {
  yield line
}

function calendar(first: string, last: string): string[] {
  const days: string[] = []
  for (let day = first; day <= last && days.length < 100_000; day = dayAfter(day)) days.push(day)
  return days
}

function startOf(day: string): string {
  return `${day}T00:00:00.000000Z`
}

function dayAfter(day: string): string {
  return new Date(Date.parse(day) + dayMs).toISOString().slice(0, 10)
}

function dayBefore(day: string): string {
  return new Date(Date.parse(day) - dayMs).toISOString().slice(0, 10)
}

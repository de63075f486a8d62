/** Our table of backfills: what was asked for, and how far it is. It commits with the cells that it tells of. */
import type { Session } from '../../engines/engine.ts'
import { spellingOf } from './cells.ts'

export type BackfillOrder = 'newest' | 'oldest'

export interface Backfill {
  readonly source: string
  readonly from: string
  readonly until: string
  readonly order: BackfillOrder
  /** What is done begins here when the newest came first, and ends here when the oldest did. */
  readonly position: string
  readonly state: 'running' | 'done'
  /** `load` fills a warehouse that was empty: what is not done yet is not there yet. */
  readonly purpose: 'load' | 'again'
  readonly rowsDone: number
  readonly rowsTotal: number
  readonly startedAt: string
  readonly runId: string
}

/** The last one that was asked for. */
export async function readBackfill(session: Session, source: string): Promise<Backfill | null> {
  const { rows } = await session.query<Record<string, string>>(
    `select source, from_at, until_at, direction, position, state, purpose, rows_done, rows_total, started_at, run_id
     from plinth.rollup_backfills where source = $1 order by started_at desc limit 1`,
    [source],
  )
  const row = rows[0]
  if (!row) return null
  return {
    source,
    from: row['from_at'] ?? '',
    until: row['until_at'] ?? '',
    order: row['direction'] as BackfillOrder,
    position: row['position'] ?? '',
    state: row['state'] as Backfill['state'],
    purpose: row['purpose'] as Backfill['purpose'],
    rowsDone: Number(row['rows_done']),
    rowsTotal: Number(row['rows_total']),
    startedAt: row['started_at'] ?? '',
    runId: row['run_id'] ?? '',
  }
}

/** Says anew how far it is, within the transaction that is open. */
export async function writeBackfill(session: Session, backfill: Backfill): Promise<void> {
  const { moment, loadCsv } = spellingOf(session)
  await session.query(
    `delete from plinth.rollup_backfills where source = $1 and started_at = ${moment(backfill.startedAt, 'before all')}`,
    [backfill.source],
  )
  const values = [
    backfill.source,
    backfill.from,
    backfill.until,
    backfill.order,
    backfill.position,
    backfill.state,
    backfill.purpose,
    String(backfill.rowsDone),
    String(backfill.rowsTotal),
    backfill.startedAt,
    backfill.runId,
  ]
  await loadCsv(session, { table: 'plinth.rollup_backfills', columns, source: line(values) })
}

/** What is left to do, and in a warehouse that is being loaded not there yet; null when nothing is. */
export function remaining(backfill: Backfill | null): { readonly from: string; readonly until: string } | null {
  if (!backfill || backfill.state === 'done') return null
  const { from, until, position, order } = backfill
  return order === 'newest' ? { from, until: position } : { from: position, until }
}

const columns = [
  { name: 'source', type: 'varchar' },
  { name: 'from_at', type: 'timestamptz' },
  { name: 'until_at', type: 'timestamptz' },
  { name: 'direction', type: 'varchar' },
  { name: 'position', type: 'timestamptz' },
  { name: 'state', type: 'varchar' },
  { name: 'purpose', type: 'varchar' },
  { name: 'rows_done', type: 'bigint' },
  { name: 'rows_total', type: 'bigint' },
  { name: 'started_at', type: 'timestamptz' },
  { name: 'run_id', type: 'varchar' },
]

export const backfillTables = {
  names: ['rollup_backfills'],
  statements: [
    `create table if not exists plinth.rollup_backfills (
       source varchar not null,
       from_at timestamptz not null,
       until_at timestamptz not null,
       direction varchar not null,
       position timestamptz not null,
       state varchar not null,
       purpose varchar not null,
       rows_done bigint not null,
       rows_total bigint not null,
       started_at timestamptz not null,
       run_id varchar not null
     )`,
  ],
} as const

async function* line(values: readonly string[]): AsyncGenerator<string> {
  yield `${values.map(value => `"${value.replaceAll('"', '""')}"`).join(',')}\n`
}

/** Our tables of what was looked at: days that were proved in rotation, checks that ran, how fresh sources were. */
import type { Session } from '../engines/engine.ts'
import { spellingOf } from './run/cells.ts'

export interface CheckRecord {
  readonly check: string
  readonly subject: string | null
  readonly severity: string
  readonly status: string
  readonly failures: number
  readonly durationMs: number
}

/** Keeps what the checks of a run found. Their number alone: no row is kept. */
export async function recordChecks(session: Session, runId: string, checks: readonly CheckRecord[]): Promise<void> {
  if (checks.length === 0) return
  const at = new Date().toISOString()
  await spellingOf(session).loadCsv(session, {
    table: 'plinth.check_runs',
    columns: [
      { name: 'run_id', type: 'varchar' },
      { name: 'name', type: 'varchar' },
      { name: 'subject', type: 'varchar' },
      { name: 'severity', type: 'varchar' },
      { name: 'status', type: 'varchar' },
      { name: 'failures', type: 'bigint' },
      { name: 'duration_ms', type: 'bigint' },
      { name: 'finished_at', type: 'timestamptz' },
    ],
    source: lines(
      checks.map(one => [
        runId,
        one.check,
        one.subject,
        one.severity,
        one.status,
        String(one.failures),
        String(one.durationMs),
        at,
      ]),
    ),
  })
}

export interface FreshnessRecord {
  readonly source: string
  readonly status: string
  /** When the newest row was loaded; null for an empty table. */
  readonly newestAt: string | null
  readonly ageMs: number | null
}

export async function recordFreshness(
  session: Session,
  runId: string,
  found: readonly FreshnessRecord[],
): Promise<void> {
  if (found.length === 0) return
  const at = new Date().toISOString()
  await spellingOf(session).loadCsv(session, {
    table: 'plinth.freshness_runs',
    columns: [
      { name: 'run_id', type: 'varchar' },
      { name: 'source', type: 'varchar' },
      { name: 'status', type: 'varchar' },
      { name: 'newest_at', type: 'timestamptz' },
      { name: 'age_ms', type: 'bigint' },
      { name: 'finished_at', type: 'timestamptz' },
    ],
    source: lines(
      found.map(one => [
        runId,
        one.source,
        one.status,
        one.newestAt,
        one.ageMs === null ? null : String(Math.round(one.ageMs)),
        at,
      ]),
    ),
  })
}

/** What was done and found, newest first. */
export interface HistoryEntry {
  readonly at: string
  readonly kind: 'run' | 'reconciliation' | 'checks' | 'freshness' | 'seal'
  readonly source: string
  readonly runId: string
  /** One sentence without row data. */
  readonly found: string
  readonly status: 'ok' | 'different' | 'failed'
  readonly durationMs: number | null
}

export async function readHistory(session: Session, limit: number): Promise<HistoryEntry[]> {
  const { rows } = await session.query<Record<string, string | number | null>>(`
    select finished_at as told_at, 'run' as kind, source, run_id, mode as word, marks as a, cells as b, rows as c, 0 as bad, duration_ms from plinth.rollup_runs
    union all
    select finished_at, 'reconciliation', source, run_id, '', cells, different, repaired, different - repaired, duration_ms from plinth.reconciliations
    union all
    select max(finished_at), 'checks', '', run_id, '', count(*), sum(case when status = 'passed' then 0 else 1 end), sum(failures),
      sum(case when status in ('failed', 'error') then 1 else 0 end), sum(duration_ms) from plinth.check_runs group by run_id
    union all
    select finished_at, 'freshness', source, run_id, status, coalesce(age_ms, 0), 0, 0, case when status in ('passed', 'warned') then 0 else 1 end, 0 from plinth.freshness_runs
    union all
    select max(sealed_at), 'seal', source, run_id, reason, count(*), sum(row_count), 0, 0, 0 from plinth.rollup_seals group by source, run_id, reason
    order by 1 desc limit ${Math.floor(limit)}`)
  return rows.map(row => {
    const kind = row['kind'] as HistoryEntry['kind']
    const [a, b, c] = [Number(row['a']), Number(row['b']), Number(row['c'])]
    return {
      at: String(row['told_at']),
      kind,
      source: String(row['source']),
      runId: String(row['run_id']),
      found: sentence(kind, String(row['word']), a, b, c),
      status: Number(row['bad']) === 0 ? 'ok' : kind === 'reconciliation' ? 'different' : 'failed',
      durationMs: kind === 'seal' || kind === 'freshness' ? null : Number(row['duration_ms']),
    }
  })
}

export const historyTables = {
  names: ['rollup_proofs', 'rollup_late', 'check_runs', 'freshness_runs'],
  statements: [
    `create table if not exists plinth.rollup_proofs (
       source varchar not null,
       bucket_day date not null,
       proved_at timestamptz not null,
       run_id varchar not null
     )`,
    `create table if not exists plinth.rollup_late (
       run_id varchar not null,
       source varchar not null,
       cells bigint not null,
       events bigint,
       finished_at timestamptz not null
     )`,
    `create table if not exists plinth.check_runs (
       run_id varchar not null,
       name varchar not null,
       subject varchar,
       severity varchar not null,
       status varchar not null,
       failures bigint not null,
       duration_ms bigint not null,
       finished_at timestamptz not null
     )`,
    `create table if not exists plinth.freshness_runs (
       run_id varchar not null,
       source varchar not null,
       status varchar not null,
       newest_at timestamptz,
       age_ms bigint,
       finished_at timestamptz not null
     )`,
  ],
} as const

function sentence(kind: HistoryEntry['kind'], word: string, a: number, b: number, c: number): string {
  const number = (amount: number) => amount.toLocaleString('en-US')
  if (kind === 'run') return `${word}: ${number(a)} marks, ${number(b)} cells, ${number(c)} rows`
  if (kind === 'reconciliation') return `${number(a)} cells, ${number(b)} different, ${number(c)} repaired`
  if (kind === 'checks') return `${number(a)} checks, ${number(b)} not passed, ${number(c)} wrong rows`
  if (kind === 'freshness') return `${word}: newest row ${number(Math.round(a / 1000))} s old`
  return `${word}: ${number(a)} hours, ${number(b)} rows`
}

async function* lines(rows: readonly (readonly (string | null)[])[]): AsyncGenerator<string> {
  for (const row of rows)
    yield `${row.map(value => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`
}

/** What each table of the warehouse must hold, computed by PostgreSQL alone from a query that answers events, and what it holds. */
import { expect } from 'vitest'
import { withSession, withTransaction } from '../../../src/engines/brackets.ts'
import { duckdb } from '../../../src/engines/duckdb/index.ts'
import { withClient } from '../../support/database.ts'

export type Table =
  | 'raw'
  | 'usage_hourly'
  | 'usage_daily'
  | 'latency_hourly'
  | 'latency_daily'
  | 'platform_hourly'
  | 'platform_daily'
  | 'organization_freshness'

/** Sorted lines of text by table. */
export type Contents = Readonly<Record<Table, readonly string[]>>

export interface Stored {
  readonly contents: Contents
  /** Of the cursor; null before the first run. */
  readonly snapshot: string | null
}

/** What the events of the query make of each table. */
export async function expectedFrom(sourceUrl: string, events: string): Promise<Contents> {
  return withClient(sourceUrl, async client => {
    await client.query(`begin isolation level repeatable read`)
    await client.query(`create temp table events on commit drop as
      select *, date_trunc('hour', occurred_at, 'UTC') as hour, platform.organization_shard(organization_id) as shard,
        case when latency_ms = 0 then -1 else ceil(ln(latency_ms::float8) / ln(1.01::float8 / 0.99::float8))::int end as bin
      from (${events}) as event`)
    const contents = await byTable(async table => {
      const { rows } = await client.query<{ line: string }>(
        `select concat_ws('|', ${expected[table].select}) as line from events ${expected[table].group}`,
      )
      return rows.map(({ line }) => line).sort()
    })
    await client.query('rollback')
    return contents
  })
}

/** What the warehouse holds at one of its own snapshots. */
export async function storedIn(warehouseUrl: string): Promise<Stored> {
  return withSession(duckdb, warehouseUrl, { waitMs: 20_000 }, session =>
    withTransaction(session, async () => {
      const { rows } = await session.query<{ snapshot: string | null }>('select snapshot from plinth.rollup_cursors')
      const contents = await byTable(async table => {
        const from = table === 'raw' ? 'raw.usage_events' : `analytics.${table}`
        const answer = await session.query<{ line: string }>(
          `select concat_ws('|', ${stored[table]}) as line from ${from}`,
        )
        return answer.rows.map(({ line }) => line).sort()
      })
      return { contents, snapshot: rows[0]?.snapshot ?? null }
    }),
  )
}

/** Compares cell by cell and answers how many there were. */
export function expectEqual(found: Contents, wanted: Contents, when: string): number {
  for (const table of tables) {
    const [there, should] = [new Set(found[table]), new Set(wanted[table])]
    const extra = found[table].filter(line => !should.has(line))
    const missing = wanted[table].filter(line => !there.has(line))
    expect(
      { extra: extra.slice(0, 5), missing: missing.slice(0, 5) },
      `${table} ${when}: ${extra.length} extra, ${missing.length} missing`,
    ).toEqual({ extra: [], missing: [] })
    expect(found[table].length, `rows of ${table} ${when}`).toBe(wanted[table].length)
  }
  return tables.reduce((sum, table) => sum + wanted[table].length, 0)
}

const tables: readonly Table[] = [
  'raw',
  'usage_hourly',
  'usage_daily',
  'latency_hourly',
  'latency_daily',
  'platform_hourly',
  'platform_daily',
  'organization_freshness',
]

async function byTable(read: (table: Table) => Promise<string[]>): Promise<Contents> {
  const contents: Partial<Record<Table, string[]>> = {}
  for (const table of tables) contents[table] = await read(table)
  return contents as Contents
}

const sums = `count(*), sum(input_tokens), sum(output_tokens), count(*) filter (where status = 'error'),
  count(*) filter (where status = 'rate_limited'), sum(latency_ms), max(latency_ms), sum(cost)::numeric(38, 6)`
const measures = 'requests, input_tokens, output_tokens, errors, rate_limited, latency_ms_sum, latency_ms_max, cost'
const hour = `to_char(hour at time zone 'UTC', 'YYYY-MM-DD HH24')`
const day = `to_char(hour at time zone 'UTC', 'YYYY-MM-DD')`
const instant = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`

const by = (keys: string, values: string) => ({ select: `${keys}, ${values}`, group: `group by ${keys}` })

const expected: Readonly<Record<Table, { readonly select: string; readonly group: string }>> = {
  raw: {
    select: `organization_id, event_id, ${instant('occurred_at')}, ${instant('received_at')}, api_key_id, model_id, input_tokens, output_tokens,
      latency_ms, status, coalesce(error_code, '-'), region, cost::numeric(18, 6), ${hour}, shard`,
    group: '',
  },
  usage_hourly: by(`${hour}, organization_id, model_id, shard`, sums),
  usage_daily: by(`${day}, organization_id, model_id, shard`, sums),
  latency_hourly: by(`${hour}, organization_id, model_id, shard, bin`, 'count(*)'),
  latency_daily: by(`${day}, organization_id, model_id, shard, bin`, 'count(*)'),
  platform_hourly: by(`${hour}, shard, model_id, region`, sums),
  platform_daily: by(`${day}, shard, model_id, region`, sums),
  organization_freshness: {
    select: `organization_id, ${instant('max(occurred_at)')}, ${instant('max(received_at)')}, to_char(max(hour) at time zone 'UTC', 'YYYY-MM-DD HH24'), count(*)`,
    group: 'group by organization_id',
  },
}

const there = (column: string) => `strftime(${column} at time zone 'UTC', '%Y-%m-%d %H:%M:%S.%f')`
const hourThere = `strftime(bucket_hour at time zone 'UTC', '%Y-%m-%d %H')`

const stored: Readonly<Record<Table, string>> = {
  raw: `organization_id, event_id, ${there('occurred_at')}, ${there('received_at')}, api_key_id, model_id, input_tokens, output_tokens,
    latency_ms, status, coalesce(error_code, '-'), region, cost, ${hourThere}, shard`,
  usage_hourly: `${hourThere}, organization_id, model_id, shard, ${measures}`,
  usage_daily: `bucket_day, organization_id, model_id, shard, ${measures}`,
  latency_hourly: `${hourThere}, organization_id, model_id, shard, latency_bin, requests`,
  latency_daily: `bucket_day, organization_id, model_id, shard, latency_bin, requests`,
  platform_hourly: `${hourThere}, shard, model_id, region, ${measures}`,
  platform_daily: `bucket_day, shard, model_id, region, ${measures}`,
  organization_freshness: `organization_id, ${there('last_occurred_at')}, ${there('last_received_at')}, strftime(last_bucket_hour at time zone 'UTC', '%Y-%m-%d %H'), requests`,
}

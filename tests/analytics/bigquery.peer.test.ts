/** The same rollups in two warehouses: whatever happens to the events, BigQuery ends with the cells that DuckDB has. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { reconcile } from '../../src/analytics/prove/reconcile.ts'
import { type RollupOptions, runRollup } from '../../src/analytics/run/run.ts'
import { runChecks } from '../../src/analytics/check/check.ts'
import { rollupStatus } from '../../src/analytics/status.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import type { Row } from '../../src/engines/engine.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { failureOf } from '../engines/conformance.ts'
import { emulator, type Fault, faulty, withoutBigQuery } from '../support/bigquery.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld, root, type World } from './support/world.ts'

const server = emulator()

describe.skipIf(withoutBigQuery)('rollups in BigQuery', { timeout: 240_000 }, () => {
  test('late, moved and deleted events leave both warehouses with equal cells', async () => {
    const world = await makeWorld()
    const url = server.url()
    await migrate(url)
    await fillEvents(world, 600)
    await runBoth(world, url)
    await expectEqual(world, url)

    // Late by months, moved across hours, days and organizations, corrected, and gone.
    await world.sql(insertEvent, event(world, { at: '2025-11-30T23:59:59.999999Z', cost: '12.345678' }))
    await world.sql(
      `update platform.usage_events set input_tokens = input_tokens + 7 where occurred_at < '2026-03-01T06:00:00Z'`,
    )
    await world.sql(
      `update platform.usage_events set occurred_at = occurred_at + interval '25 hours' where occurred_at between '2026-03-02T00:00:00Z' and '2026-03-02T05:00:00Z'`,
    )
    await world.sql(
      `delete from platform.usage_events where occurred_at >= '2026-03-03T00:00:00Z' and latency_ms % 3 = 0`,
    )
    const reports = await runBoth(world, url)
    expect(reports.far.sources[0]).toMatchObject({ mode: 'changes', marks: reports.near.sources[0]?.marks })
    // Whole cells are replaced there, where the other reads the organizations that changed alone.
    expect(reports.far.sources[0]?.rows).toBeGreaterThan(reports.near.sources[0]?.rows ?? Infinity)
    expect(Object.keys(reports.far.sources[0]?.tables ?? {})).toEqual(
      Object.keys(reports.near.sources[0]?.tables ?? {}),
    )
    await expectEqual(world, url)
    expect((await runBoth(world, url)).far.status).toBe('nothing-to-do')

    // What somebody altered by hand is found and mended, and the checks of the project hold.
    await ask(
      url,
      `update analytics.usage_hourly set requests = requests + 1 where bucket_hour < timestamp '2026-03-01T03:00:00Z'`,
    )
    const report = await reconcile(world.project, far(world, url))
    expect(report).toMatchObject({ status: 'repaired', sources: [{ pending: 0 }] })
    expect(report.sources[0]?.different).toBeGreaterThan(0)
    await expectEqual(world, url)
    const checks = await withSession(bigquery, url, {}, warehouse =>
      runChecks(world.project, { warehouse, emit: () => undefined }),
    )
    expect(checks.checks.filter(({ status }) => status !== 'passed')).toEqual([])
    const status = await rollupStatus(world.project, far(world, url))
    expect(status.sources[0]).toMatchObject({ loaded: 'yes', pendingMarks: 0, lastRun: { mode: 'changes' } })
  })

  test('a run that fails keeps nothing, and the next one completes', async () => {
    const world = await makeWorld()
    const url = server.url()
    await migrate(url)
    await fillEvents(world, 100)
    const whole = ({ body }: Parameters<Fault>[0]) => body.includes('begin transaction')
    const failing = async (fault: Fault) => through(url, await faulty(server.endpoint, fault))
    for (const [answer, code] of [
      [{ status: 403, reason: 'quotaExceeded' }, 'WAREHOUSE_QUOTA'],
      [{ status: 401, reason: 'authError' }, 'DATABASE_AUTHENTICATION'],
      [{ status: 400, reason: 'bytesBilledLimitExceeded' }, 'COST_CAP_EXCEEDED'],
    ] as const) {
      const broken = await failing(request => (whole(request) ? answer : null))
      expect((await failureOf(runRollup(world.project, far(world, broken)))).code).toBe(code)
      const kept = ['raw.usage_events', 'analytics.usage_hourly', 'plinth.rollup_cursors', 'plinth.rollup_runs']
      const counts = kept.map(table => `(select count(*) from ${table})`)
      expect(Number((await ask(url, `select ${counts.join(' + ')} as n`))[0]?.['n'])).toBe(0)
    }
    // Busy for a while, and an upload whose answer is lost: the run goes on by itself.
    let left = 4
    let lost = 1
    const busy = await failing(request => {
      if (whole(request) && left > 0) return { status: left-- % 2 ? 503 : 403, reason: 'rateLimitExceeded' }
      return request.path.startsWith('/upload') && lost-- > 0 ? 'lost answer' : null
    })
    expect((await runRollup(world.project, far(world, busy))).status).toBe('succeeded')
    expect([left, lost < 0]).toEqual([0, true])
    await world.run({ consumer: 'duckdb' })
    await expectEqual(world, url)

    await ask(url, 'drop table raw.usage_events')
    expect(await failureOf(runRollup(world.project, far(world, url)))).toMatchObject({
      code: 'WAREHOUSE_FAILED',
      hint: expect.stringContaining('plinth apply'),
    })
  })

  test('a runner that was overtaken between its reading and its commit changes nothing', async () => {
    const world = await makeWorld()
    const url = server.url()
    await migrate(url)
    await fillEvents(world, 20)
    const late = runRollup(
      world.project,
      far(world, url, {
        onStage: async stage => {
          if (stage !== 'proved') return
          await ask(url, `delete from plinth.rollup_cursors where true`)
          await ask(
            url,
            `insert into plinth.rollup_cursors (source, snapshot, token, relation, run_id, raw_rows, moved_at) values ('raw.usage_events', null, 99, '', 'the other', 0, now())`,
          )
        },
      }),
    )
    expect((await failureOf(late)).code).toBe('LEASE_LOST')
    expect(await ask(url, 'select count(*) as n from raw.usage_events')).toEqual([{ n: '0' }])
  })
})

function through(url: string, endpoint: string): string {
  const other = new URL(url)
  other.searchParams.set('endpoint', endpoint)
  return other.toString()
}

function far(world: World, url: string, change: Partial<RollupOptions> = {}): RollupOptions {
  return world.options({ warehouse: { engine: bigquery, url }, consumer: 'bigquery', runId: randomUUID(), ...change })
}

/** As `plinth apply --track analytics` does with the URL of the warehouse changed. */
async function migrate(url: string): Promise<void> {
  const track = { track: 'analytics', folder: join(root, 'db/migrations/analytics'), actor: 'a test' }
  const report = await withSession(bigquery, url, {}, session => applyTrack(session, track))
  if (report.error) throw report.error
  expect(report.status).toBe('succeeded')
}

async function runBoth(world: World, url: string) {
  const near = await world.run({ consumer: 'duckdb' })
  return { near, far: await runRollup(world.project, far(world, url)) }
}

async function ask<R = Row>(url: string, text: string): Promise<R[]> {
  return withSession(bigquery, url, {}, async session => (await session.query<R>(text)).rows)
}

/** Every table of both, row by row, as PostgreSQL writes the values. */
async function expectEqual(world: World, url: string): Promise<void> {
  await expectExact(world)
  for (const { schema, name, columns } of await tablesOf(world)) {
    const list = columns.map(column => column.name).join(', ')
    const near = await world.ask(`select ${list} from ${schema}.${name}`)
    const there = await ask(url, `select ${list} from ${schema}.${name}`)
    expect(plain(there), `${schema}.${name}`).toEqual(plain(near))
  }
}

async function tablesOf(world: World) {
  const { tables } = await world.warehouse(session => session.introspect())
  return tables.filter(({ schema, name }) => schema !== 'plinth' && name !== 'reconciled_cells')
}

/** DuckDB answers small integers as numbers and writes all digits of a decimal; BigQuery has one integer and leaves zeros out. */
function plain(rows: readonly Row[]): string[] {
  const text = (value: unknown) => {
    const written = String(value)
    return /^-?\d+\.\d+$/.test(written) ? written.replace(/\.?0+$/, '') : written
  }
  return rows.map(row => Object.values(row).map(text).join('|')).sort()
}

/** Sealing in BigQuery: the same seals, the same quarantine and the same admission, within the scripts that commit. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runBackfill } from '../../src/analytics/run/backfill.ts'
import { eraseFromSealed } from '../../src/analytics/seal/erase.ts'
import { admitQuarantined, listQuarantine } from '../../src/analytics/seal/quarantine.ts'
import { reconcile } from '../../src/analytics/prove/reconcile.ts'
import { type RollupOptions, runRollup } from '../../src/analytics/run/run.ts'
import { readSeals } from '../../src/analytics/seal/seal-ledger.ts'
import { sealBuckets } from '../../src/analytics/seal/seal.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import type { Row } from '../../src/engines/engine.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { emulator, withoutBigQuery } from '../support/bigquery.ts'
import { event, fillEvents, insertEvent, makeWorld, root, type World } from './support/world.ts'

const server = emulator()

describe.skipIf(withoutBigQuery)('sealing in BigQuery', { timeout: 600_000 }, () => {
  test('seals, quarantines, admits what the source has and what it has retired, and erases', async () => {
    const world = await makeWorld()
    const url = server.url()
    const track = { track: 'analytics', folder: join(root, 'db/migrations/analytics'), actor: 'a test' }
    expect((await withSession(bigquery, url, {}, session => applyTrack(session, track))).status).toBe('succeeded')
    const far = (change: Partial<RollupOptions> = {}) =>
      world.options({ warehouse: { engine: bigquery, url }, consumer: 'bigquery', runId: randomUUID(), ...change })
    const decide = () => ({ ...far(), selection: { from: null, until: null, shard: null }, signer: null })
    await world.sql(
      `select from platform.ensure_usage_event_partitions('2026-02-20T00:00:00Z', '2026-03-20T00:00:00Z')`,
    )
    await fillEvents(world, 150)
    const backfill = { ...far(), from: null, until: null, order: null, rowsPerSecond: 0, loadMax: 0 }
    expect((await runBackfill(world.project, backfill)).status).toBe('done')
    await expectHours(world, url)
    const sealed = await sealBuckets(world.project, { ...far(), before: '2026-03-02', afterDays: 0, signer: null })
    expect(sealed).toMatchObject({ status: 'sealed', sources: [{ blocked: null }] })
    const seals = await withSession(bigquery, url, {}, session =>
      readSeals(session, 'raw.usage_events', { from: null, until: null }),
    )
    const { rows } = await world.sql(
      `select date_trunc('hour', occurred_at, 'UTC') as hour, count(*)::text as n, sum(input_tokens)::text as tokens, sum(cost)::text as cost
       from platform.usage_events where occurred_at < '2026-03-02' group by 1 order by 1`,
    )
    expect(seals.map(({ hour, rows: held, sums }) => [hour.slice(0, 13), held, sums[0], sums.at(-1)])).toEqual(
      rows.map(row => [(row['hour'] as Date).toISOString().slice(0, 13), row['n'], row['tokens'], row['cost']]),
    )

    await world.sql(insertEvent, event(world, { at: '2026-03-01T05:20:00Z', cost: '3.25' }))
    await world.sql(`delete from platform.usage_events where input_tokens = 60 and occurred_at < '2026-03-02'`)
    expect((await runRollup(world.project, far())).sources[0]).toMatchObject({ quarantined: 2 })
    expect(await admitQuarantined(world.project, decide())).toMatchObject({ sources: [{ cells: 2, moved: 0 }] })
    await expectHours(world, url)

    await world.sql('update platform.partition_settings set retention_days = 1')
    const [kept] = (
      await world.sql(
        `select count(*)::text as n, sum(cost)::text as cost from platform.usage_events where date_trunc('hour', occurred_at, 'UTC') = '2026-03-01T05:00:00Z'`,
      )
    ).rows
    await runRollup(world.project, far())
    expect((await world.sql('select from platform.retire_usage_event_partitions()')).rowCount).toBeGreaterThan(0)
    await world.sql(insertEvent, event(world, { at: '2026-03-01T05:21:00Z', cost: '1' }))
    expect((await runRollup(world.project, far())).sources[0]).toMatchObject({ quarantined: 1 })
    expect(await admitQuarantined(world.project, decide())).toMatchObject({ sources: [{ cells: 1, moved: 1 }] })
    expect(
      await ask(
        url,
        `select cast(sum(requests) as string) as n, cast(sum(cost) as string) as cost from analytics.usage_hourly where bucket_hour = timestamp '2026-03-01T05:00:00Z'`,
      ),
    ).toEqual([{ n: String(Number(kept.n) + 1), cost: String(Number((Number(kept.cost) + 1).toFixed(6))) }])
    await runRollup(world.project, far())
    // One row a cell: the late events of both times were of the same one.
    expect((await listQuarantine(world.project, far()))[0]?.cells.map(({ state }) => state)).toEqual([
      'admitted',
      'admitted',
    ])
    const erased = await eraseFromSealed(world.project, world.tenants[0]?.organization ?? '', {
      ...far(),
      signer: null,
    })
    expect(erased.sources[0]?.rows).toBeGreaterThan(20)
    expect(await reconcile(world.project, { ...far(), action: 'report' })).toMatchObject({ status: 'equal' })
  })
})

async function ask(url: string, text: string): Promise<Row[]> {
  return withSession(bigquery, url, {}, async session => (await session.query(text)).rows)
}

/** Each hour's requests, as the source counts them. */
async function expectHours(world: World, url: string): Promise<void> {
  const { rows } = await world.sql(
    `select to_char(date_trunc('hour', occurred_at, 'UTC') at time zone 'UTC', 'YYYY-MM-DD HH24') as hour, count(*)::text as n
     from platform.usage_events group by 1 order by 1`,
  )
  const found = await ask(
    url,
    `select format_timestamp('%Y-%m-%d %H', bucket_hour) as hour, cast(sum(requests) as string) as n from analytics.usage_hourly group by 1 order by 1`,
  )
  expect(found).toEqual(rows)
}

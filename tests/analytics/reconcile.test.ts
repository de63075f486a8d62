import { describe, expect, test } from 'vitest'
import { lastReconciliation } from '../../src/analytics/ledger.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld } from './support/world.ts'

describe('reconciliation', () => {
  test('finds nothing after a run, and says when each hour and day was proved', async () => {
    const world = await makeWorld()
    await fillEvents(world, 500)
    const run = await world.run()
    const [hourly] = await world.ask(
      'select count(*) as rows, count(reconciled_at) as proved from analytics.usage_hourly_reconciled',
    )
    const [daily] = await world.ask(
      'select count(*) as rows, count(reconciled_at) as proved from analytics.usage_daily_reconciled',
    )
    for (const found of [hourly, daily]) expect(found?.['proved']).toBe(found?.['rows'])
    const report = await world.reconcile()
    expect(report).toMatchObject({
      status: 'equal',
      sources: [{ rows: 500, pending: 0, different: 0, differences: [] }],
    })
    expect(report.sources[0]?.cells).toBe(run.sources[0]?.cells)
    expect(await world.warehouse(session => lastReconciliation(session, 'raw.usage_events'))).toMatchObject({
      different: 0,
      repaired: 0,
    })
  })

  const harms: readonly (readonly [string, string, string, string])[] = [
    [
      'a raw row that was removed',
      'delete from raw.usage_events where input_tokens = 7',
      'raw.usage_events',
      'missing',
    ],
    [
      'a raw row that was added',
      'insert into raw.usage_events select * from raw.usage_events where input_tokens = 7',
      'raw.usage_events',
      'extra',
    ],
    [
      'a raw value that was altered',
      'update raw.usage_events set cost = cost + 0.000001 where input_tokens = 7',
      'raw.usage_events',
      'value',
    ],
    [
      'two raw rows that swapped a value',
      `update raw.usage_events set region = case input_tokens when 7 then 'aa' else 'bb' end where input_tokens in (7, 8)`,
      'raw.usage_events',
      'value',
    ],
    [
      'an hour that was removed',
      'delete from analytics.usage_hourly where bucket_hour = (select min(bucket_hour) from analytics.usage_hourly)',
      'analytics.usage_hourly',
      'missing',
    ],
    [
      'an hour that was altered',
      'update analytics.usage_hourly set requests = requests + 1 where bucket_hour = (select min(bucket_hour) from analytics.usage_hourly)',
      'analytics.usage_hourly',
      'value',
    ],
    [
      'an hour that was added',
      `insert into analytics.usage_hourly select '2031-01-01T00:00:00Z', * exclude bucket_hour from analytics.usage_hourly limit 1`,
      'analytics.usage_hourly',
      'extra',
    ],
    ['a day that was removed', 'delete from analytics.usage_daily', 'analytics.usage_daily', 'missing'],
    [
      'a day that was altered',
      'update analytics.usage_daily set cost = cost + 1 where bucket_day = (select max(bucket_day) from analytics.usage_daily)',
      'analytics.usage_daily',
      'value',
    ],
    [
      'a day that was added',
      `insert into analytics.usage_daily select date '1999-12-31', * exclude bucket_day from analytics.usage_daily limit 1`,
      'analytics.usage_daily',
      'extra',
    ],
  ]

  test.each(harms)('%s is reported, then repaired', async (_, statement, table, kind) => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    await world.run()
    await world.warehouse(session => session.query(statement))
    const report = await world.reconcile({ action: 'report' })
    expect(report.status).toBe('different')
    expect(report.sources[0]?.differences).toContainEqual(expect.objectContaining({ table, kind }))
    expect((await world.reconcile({ action: 'report' })).sources[0]?.different).toBe(report.sources[0]?.different)

    const repaired = await world.reconcile()
    expect(repaired).toMatchObject({
      status: 'repaired',
      sources: [{ different: report.sources[0]?.different, repaired: report.sources[0]?.different }],
    })
    await expectExact(world)
    expect((await world.reconcile()).status).toBe('equal')
  })

  test('a raw row in an hour that is no hour is mended by loading everything', async () => {
    const world = await makeWorld()
    await fillEvents(world, 50)
    await world.run()
    await world.warehouse(session =>
      session.query(
        `update raw.usage_events set bucket_hour = bucket_hour + interval '1 minute' where input_tokens = 7`,
      ),
    )
    expect((await world.reconcile()).status).toBe('repaired')
    await expectExact(world)
  })

  test('changes that triggers did not see are found and repaired', async () => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    await world.run()
    await world.sql(`
      alter table platform.usage_events disable trigger user;
      set session_replication_role = replica;
      update platform.usage_events set cost = cost + 1 where input_tokens = 7;
      delete from platform.usage_events where input_tokens = 8;`)
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
    await expect(expectExact(world)).rejects.toThrow()
    expect(await world.reconcile()).toMatchObject({ status: 'repaired' })
    await expectExact(world)
  })

  test('cells that wait for a run are pending, not different', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    await world.sql(insertEvent, event(world))
    expect(await world.reconcile()).toMatchObject({ status: 'equal', sources: [{ pending: 1, different: 0 }] })
    expect(
      await world.ask(
        "select count(*) as rows from analytics.reconciled_cells where bucket_hour = '2026-03-10T10:00:00Z'",
      ),
    ).toEqual([{ rows: '0' }])
    await world.run()
    expect(await world.reconcile()).toMatchObject({ status: 'equal', sources: [{ pending: 0 }] })
  })

  test('before the first run says so', async () => {
    const world = await makeWorld()
    expect(await world.reconcile()).toMatchObject({ status: 'not-loaded', sources: [{ loaded: 'no', cells: 0 }] })
  })
})

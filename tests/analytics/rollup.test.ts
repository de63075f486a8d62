import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { rollupStatus } from '../../src/analytics/status.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld } from './support/world.ts'

describe('a run', () => {
  test('loads everything first, then only what changed, then nothing', async () => {
    const world = await makeWorld()
    await fillEvents(world, 3000)
    const first = await world.run()
    expect(first.sources[0]).toMatchObject({ mode: 'whole', reason: 'first load', rows: 3000 })
    await expectExact(world)

    await world.sql(insertEvent, event(world, { at: '2025-12-31T23:59:59.999999Z' }))
    const late = await world.run()
    expect(late.sources[0]).toMatchObject({
      mode: 'changes',
      marks: 1,
      cells: 1,
      rows: 1,
      tables: { 'analytics.usage_hourly': 1, 'analytics.usage_daily': 1 },
    })
    await expectExact(world)

    const idle = await world.run()
    expect(idle).toMatchObject({ status: 'nothing-to-do', sources: [{ marks: 0, cells: 0, rows: 0 }] })
    expect(await rollupStatus(world.project, world.options())).toMatchObject({
      sources: [{ loaded: 'yes', pendingMarks: 0, rows: { 'raw.usage_events': 3001 }, lastRun: { marks: 1, rows: 1 } }],
    })
    expect((await world.sql('select count(*)::int as marks from platform.usage_event_marks')).rows).toEqual([
      { marks: 0 },
    ])
  })

  test('of an empty source loads nothing and says so, and takes up what comes then', async () => {
    const world = await makeWorld()
    expect((await world.run()).sources[0]).toMatchObject({ reason: 'first load', rows: 0, cells: 0 })
    await world.sql(insertEvent, event(world))
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'changes', rows: 1 })
    await expectExact(world)
  })

  test('loads a large history in several batches and moves the cursor with the last', async () => {
    const world = await makeWorld()
    await fillEvents(world, 2000)
    const report = await world.run({ limits: { rows: 300, cells: 10_000 } })
    expect(report.sources[0]?.batches).toBeGreaterThan(5)
    expect(report.sources[0]?.rows).toBe(2000)
    expect(world.facts.filter(fact => fact.type === 'progress').at(-1)).toMatchObject({ done: 2000, total: 2000 })
    await expectExact(world)

    await world.sql('update platform.usage_events set input_tokens = input_tokens + 1')
    const again = await world.run({ limits: { rows: 300, cells: 10_000 } })
    expect(again.sources[0]).toMatchObject({ mode: 'changes', rows: 2000 })
    expect(again.sources[0]?.batches).toBeGreaterThan(5)
    await expectExact(world)
  })
})

describe('what happens in the source', () => {
  test('an update that moves an event across hours, days and organizations leaves no trace where it was', async () => {
    const world = await makeWorld()
    const id = randomUUID()
    await world.sql(insertEvent, event(world, { id, at: '2026-03-10T10:59:59.999999Z' }))
    await world.run()
    const [, other] = world.tenants
    for (const at of ['2026-03-10T11:00:00Z', '2026-03-11T00:00:00Z', '2026-01-01T05:30:00Z']) {
      await world.sql('update platform.usage_events set occurred_at = $2 where event_id = $1', [id, at])
      await world.run()
      await expectExact(world)
    }
    await world.sql('update platform.usage_events set organization_id = $2, api_key_id = $3 where event_id = $1', [
      id,
      other?.organization,
      other?.key,
    ])
    await world.run()
    await expectExact(world)
    expect(await world.ask('select count(*) as hours from analytics.usage_hourly')).toEqual([{ hours: '1' }])
  })

  test('deletes empty their cells, also the last of a day, and of everything', async () => {
    const world = await makeWorld()
    await fillEvents(world, 600)
    await world.run()
    await world.sql(`delete from platform.usage_events where occurred_at < '2026-03-02T07:30:00Z'`)
    await world.run()
    await expectExact(world)
    await world.sql('delete from platform.usage_events')
    await world.run()
    await expectExact(world)
    expect(await world.ask('select count(*) as rows from analytics.reconciled_cells')).toEqual([{ rows: '0' }])
  })

  test('TRUNCATE, COPY and statements aimed at a partition are seen', async () => {
    const world = await makeWorld()
    await fillEvents(world, 500)
    await world.run()
    const { rows } = await world.sql(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'platform.usage_events'::regclass order by 1`,
    )
    expect(rows.length).toBeGreaterThan(1)
    const used = await world.sql(
      'select tableoid::regclass::text as name, count(*)::int as rows from platform.usage_events group by 1 order by 2 desc',
    )
    const partition = String(used.rows[0]?.name)
    await world.sql(`delete from ${partition} where input_tokens % 2 = 0`)
    await world.sql(`update ${partition} set cost = cost + 1`)
    await world.run()
    await expectExact(world)

    await world.sql(`truncate ${partition}`)
    await world.run()
    await expectExact(world)

    await world.sql(`create table public.spare as select * from platform.usage_events limit 0`)
    await fillEvents(world, 200)
    await world.sql('insert into public.spare select * from platform.usage_events')
    await world.sql('truncate platform.usage_events')
    await world.run()
    await expectExact(world)
    await world.sql('insert into platform.usage_events select * from public.spare')
    await world.run()
    await expectExact(world)
  })

  test('a transaction that stays open during a run appears after the next one, and once', async () => {
    const world = await makeWorld()
    await world.sql(insertEvent, event(world))
    const writer = await world.connect()
    await writer.query('begin')
    await writer.query(insertEvent, event(world, { at: '2026-03-10T10:20:00Z' }))
    await world.sql(insertEvent, event(world, { at: '2026-03-10T10:30:00Z' }))
    await world.run()
    await expectExact(world)
    await world.sql(insertEvent, event(world, { at: '2026-03-10T10:40:00Z' }))
    await world.run()
    await expectExact(world)
    await writer.query('commit')
    const report = await world.run()
    expect(report.sources[0]).toMatchObject({ marks: 1, cells: 1, rows: 4 })
    await expectExact(world)
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
  })

  test('savepoints that were rolled back count nothing, those that were kept count once', async () => {
    const world = await makeWorld()
    await world.run()
    const writer = await world.connect()
    await writer.query('begin')
    await writer.query(insertEvent, event(world))
    await writer.query('savepoint a')
    await writer.query(insertEvent, event(world, { at: '2026-04-01T00:00:00Z' }))
    await writer.query('rollback to a')
    await writer.query('savepoint b')
    await writer.query(insertEvent, event(world, { at: '2026-04-02T00:00:00Z' }))
    await writer.query('release b')
    await world.run()
    await writer.query('commit')
    expect((await world.run()).sources[0]).toMatchObject({ rows: 2 })
    await expectExact(world)
    await writer.query('begin')
    await writer.query(insertEvent, event(world, { at: '2026-04-03T00:00:00Z' }))
    await writer.query('rollback')
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
  })

  test('wide integers, decimals, microseconds, quotes and nulls arrive as they are', async () => {
    const world = await makeWorld()
    for (let n = 0; n < 3; n++)
      await world.sql(
        insertEvent,
        event(world, {
          inputTokens: 2_147_483_647,
          cost: '999999999999.999999',
          status: 'error',
          errorCode: ['', 'a "quoted", comma\nand a line', 'é😀-\\N'][n] || null,
        }),
      )
    await world.run()
    await expectExact(world)
    expect(await world.ask('select input_tokens, cost from analytics.usage_daily')).toEqual([
      { input_tokens: '6442450941', cost: '2999999999999.999997' },
    ])
    const [codes, source] = [
      await world.ask('select error_code from raw.usage_events order by error_code nulls first'),
      await world.sql('select error_code from platform.usage_events order by error_code collate "C" nulls first'),
    ]
    expect(codes).toEqual(source.rows)
    expect(await world.reconcile()).toMatchObject({ status: 'equal', sources: [{ cells: 1, rows: 3 }] })
  })

  test('a source made anew under the same name is loaded anew', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    await world.sql(`
      alter table platform.usage_event_marks rename to usage_event_marks_old;
      create table platform.usage_event_marks (like platform.usage_event_marks_old including all);
      set session_replication_role = replica;
      delete from platform.usage_events where input_tokens < 50;`)
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'whole', reason: 'source table was made anew' })
    await expectExact(world)
  })
})

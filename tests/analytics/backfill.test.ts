/** Years are loaded piece by piece, in either order, beside runs and writers, and gone on with after a kill. */
import { describe, expect, test } from 'vitest'
import { runBackfill } from '../../src/analytics/run/backfill.ts'
import { readBackfill } from '../../src/analytics/run/backfill-ledger.ts'
import { type BackfillOptions, planBackfill } from '../../src/analytics/run/backfill-plan.ts'
import { sealBuckets } from '../../src/analytics/seal/seal.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld, type World } from './support/world.ts'

const options = (world: World, change: Partial<BackfillOptions> = {}): BackfillOptions => ({
  ...world.options(),
  from: null,
  until: null,
  order: null,
  rowsPerSecond: 0,
  loadMax: 0,
  ...change,
})

const rowsOfStory = 60_000
const small = { limits: { rows: 15_000, cells: 20_000 } }
const slow = { ...small, rowsPerSecond: 100_000 }

const state = (world: World) => world.warehouse(session => readBackfill(session, 'raw.usage_events'))

describe('an empty warehouse', () => {
  test('is filled newest first, with what it takes told before; runs and writers go on between the pieces', {
    timeout: 240_000,
  }, async () => {
    const world = await makeWorld()
    await fillDense(world)
    const [plan] = await planBackfill(world.project, options(world, slow))
    expect(plan).toMatchObject({
      order: 'newest',
      purpose: 'load',
      resumed: 'no',
      rows: rowsOfStory,
      rowsPerSecond: 100_000,
      seconds: 1,
    })
    expect(plan?.sourceBytes).toBeGreaterThan(rowsOfStory * 50)
    await expect(
      runBackfill(world.project, options(world, { from: '2026-03-02T00:00:00.000000Z' })),
    ).rejects.toMatchObject({ code: 'USAGE' })

    const report = await runBackfill(world.project, {
      ...options(world, small),
      onStage: async stage => {
        // Somebody writes between the pieces, into what is done and into what is not.
        if (stage === 'leased') await world.sql(insertEvent, event(world, { at: '2026-03-02T00:30:00Z' }))
      },
    })
    expect(report).toMatchObject({ status: 'done' })
    expect(report.sources[0]?.pieces).toBeGreaterThan(3)
    await world.run()
    await expectExact(world)
    expect((await world.run()).status).toBe('nothing-to-do')
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('a backfill that is killed between or within pieces goes on where it was', { timeout: 240_000 }, async () => {
    const world = await makeWorld()
    await fillDense(world)
    const stop = new AbortController()
    let commits = 0
    const first = runBackfill(world.project, {
      ...options(world, slow),
      signal: stop.signal,
      onStage: async stage => {
        if (stage === 'committed') commits++
        // The first commit is that of the empty beginning, the second a piece; the third piece dies before it commits.
        if (stage === 'proved' && commits === 2) throw new Error('killed')
      },
    })
    await expect(first).rejects.toThrow('killed')
    const half = await state(world)
    expect(half).toMatchObject({ state: 'running', order: 'newest' })
    expect(half?.rowsDone).toBeGreaterThan(0)
    expect(half?.rowsDone).toBeLessThan(rowsOfStory)
    // What is not there yet is pending, not different; what changes meanwhile is a run's to take.
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
    await world.sql(insertEvent, event(world, { at: '2026-03-01T00:30:00Z' }))
    await world.sql(`delete from platform.usage_events where input_tokens = 77`)
    await world.run()

    const [plan] = await planBackfill(world.project, options(world, slow))
    expect(plan).toMatchObject({ resumed: 'yes', from: half?.from, until: half?.until })
    await expect(runBackfill(world.project, options(world, { order: 'oldest' }))).rejects.toMatchObject({
      code: 'USAGE',
    })
    expect((await runBackfill(world.project, options(world, slow))).status).toBe('done')
    expect(await state(world)).toMatchObject({ state: 'done' })
    await world.run()
    await expectExact(world)
    const told = world.facts.filter(fact => fact.type === 'progress' && fact.task.startsWith('backfill'))
    expect(told.at(-1)).toMatchObject({ unit: 'rows', total: expect.any(Number) })
  })
})

test('a part of history is loaded again, oldest first, and sealed hours are left alone', {
  timeout: 240_000,
}, async () => {
  const world = await makeWorld()
  await fillEvents(world, 900)
  await world.run()
  await sealBuckets(world.project, { ...world.options(), before: '2026-03-02', afterDays: 0, signer: null })
  await world.warehouse(session =>
    session.query(`delete from raw.usage_events where bucket_hour >= '2026-03-01T20:00:00Z'`),
  )
  const range = { from: '2026-03-01T00:00:00.000000Z', until: '2026-03-05T00:00:00.000000Z', order: 'oldest' } as const
  const [plan] = await planBackfill(world.project, options(world, range))
  expect(plan).toMatchObject({ from: '2026-03-02T00:00:00.000000Z', purpose: 'again', hours: 72 })
  await runBackfill(world.project, options(world, range))
  const [found] = await world.ask<{ sealed: string; rest: string }>(
    `select cast(count(*) filter (where bucket_hour < '2026-03-02T00:00:00Z') as varchar) as sealed,
       cast(count(*) filter (where bucket_hour >= '2026-03-02T00:00:00Z') as varchar) as rest from raw.usage_events`,
  )
  const { rows } = await world.sql(
    `select count(*) filter (where occurred_at < '2026-03-01T20:00:00Z')::text as sealed,
       count(*) filter (where occurred_at >= '2026-03-02T00:00:00Z' and occurred_at < '2026-03-05T00:00:00Z')::text as rest from platform.usage_events`,
  )
  expect(found).toEqual(rows[0])
  // What is beyond the range, and what is sealed, is reconciliation's to mend.
  expect((await world.reconcile()).status).toBe('repaired')
  await expectExact(world)
})

test('it waits while too many sessions work on the source', { timeout: 120_000 }, async () => {
  const world = await makeWorld()
  await fillEvents(world, 500)
  const busy = await Promise.all([world.connect(), world.connect(), world.connect()])
  const stop = new AbortController()
  const working = busy.map(client => client.query('select pg_sleep(60)').catch(() => undefined))
  const held = runBackfill(world.project, {
    ...options(world, { loadMax: 1 }),
    signal: stop.signal,
    emit: fact => {
      world.facts.push(fact)
      if (fact.type === 'backfill.held') stop.abort()
    },
  })
  await expect(held).rejects.toMatchObject({ code: 'INTERRUPTED' })
  expect(world.facts).toContainEqual(expect.objectContaining({ type: 'backfill.held', reason: 'sessions', ceiling: 2 }))
  await world.sql(
    `select pg_cancel_backend(pid) from pg_stat_activity where query = 'select pg_sleep(60)' and datname = current_database()`,
  )
  await Promise.all(working)
  expect((await runBackfill(world.project, options(world))).status).toBe('done')
  await expectExact(world)
})

/** Many events in five days. */
async function fillDense(world: World): Promise<void> {
  await world.sql(
    `insert into platform.usage_events
       (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, region, cost)
     select tenant.organization, gen_random_uuid(), timestamptz '2026-03-01T00:00:00Z' + n * interval '7.2 seconds', tenant.key,
       ($3::uuid[])[1 + n % 2], n % 1000, n % 77, n % 900, 'success', 'eu-west-1', (n % 9973) * 0.000001
     from generate_series(1, $4::int) as n
     join unnest($1::uuid[], $2::uuid[]) with ordinality as tenant (organization, key, number) on tenant.number = 1 + n % array_length($1, 1)`,
    [world.tenants.map(one => one.organization), world.tenants.map(one => one.key), world.models, rowsOfStory],
  )
}

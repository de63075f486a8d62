import { describe, expect, test } from 'vitest'
import { allHours, countRows } from '../../src/analytics/run/estimate.ts'
import { capturedSources } from '../../src/analytics/project/project.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld, type World } from './support/world.ts'

describe('late events in hours that are far apart', () => {
  test('are looked up hour by hour where an index leads there', async () => {
    const world = await loadedWorld()
    await scatter(world)
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'changes', cells: 60 })
    await expectExact(world)
  })

  test('are found at once where no index leads there', async () => {
    const world = await loadedWorld()
    await world.sql('drop index platform.usage_events_occurred_at_brin')
    await scatter(world)
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'changes', cells: 60 })
    await expectExact(world)
  })

  test('count with the rows of their shards, not with all of their hours', async () => {
    const world = await loadedWorld()
    const source = capturedSources(world.project)[0]
    if (!source) throw new Error('There is no captured source.')
    const part = Array.from({ length: source.capture.shards / 2 }, (_, shard) => shard)
    const {
      rows: [found],
    } = await world.sql(
      `select count(*) filter (where platform.organization_shard(organization_id) < ${part.length}) as mine, count(*) as all from platform.usage_events`,
    )
    const counted = await withSession(postgres, world.sourceUrl, {}, async session => {
      const hours = await allHours(session, source)
      const sum = async (shards: readonly number[] | 'all') =>
        (
          await countRows(
            session,
            source,
            hours.map(({ hour }) => ({ hour, shards })),
          )
        ).reduce((total, { rows }) => total + rows, 0)
      return { mine: await sum(part), all: await sum('all'), none: await sum([]), hours: hours.length }
    })
    expect(counted.all).toBe(Number(found?.all))
    expect(counted.none).toBe(0)
    expect(Number(found?.mine)).toBeLessThan(counted.all)
    // Each hour is rounded for itself.
    expect(Math.abs(counted.mine - Number(found?.mine))).toBeLessThanOrEqual(counted.hours)
  })

  test('leave a text that only the warehouse has to be found', async () => {
    const world = await loadedWorld()
    await world.warehouse(session =>
      session.query(`update raw.usage_events set region = 'nobody-ever-sent-this' where latency_ms = 7`),
    )
    const report = await world.reconcile({ action: 'report' })
    expect(report.status).toBe('different')
    expect(report.sources[0]?.differences.map(({ table, kind }) => `${table} ${kind}`)).toContain(
      'raw.usage_events value',
    )
    expect((await world.reconcile()).status).toBe('repaired')
    await expectExact(world)
  })
})

describe('a table of many pages', () => {
  test('is planned by a sample, and loaded exactly', async () => {
    const world = await makeWorld()
    // Rows of one to a page make a large table of few rows.
    await world.sql('alter table platform.usage_events_default set (fillfactor = 10)')
    await widen(world)
    const source = capturedSources(world.project)[0]
    if (!source) throw new Error('There is no captured source.')
    const hours = await withSession(postgres, world.sourceUrl, {}, session => allHours(session, source))
    expect(hours.length % 24).toBe(0)
    const about = hours.reduce((sum, { rows }) => sum + rows, 0)
    expect(about).toBeGreaterThan(rowsOfMany / 2)
    expect(about).toBeLessThan(rowsOfMany * 2)

    const report = await world.run({ limits: { rows: rowsOfMany / 3, cells: 400_000 } })
    expect(report.sources[0]).toMatchObject({ mode: 'whole', rows: rowsOfMany })
    expect(report.sources[0]?.batches).toBeGreaterThan(1)
    await expectExact(world)
  })
})

const rowsOfMany = 20_000

async function loadedWorld(): Promise<World> {
  const world = await makeWorld()
  await fillEvents(world, 3000)
  await world.run()
  return world
}

/** An event every second day, in another hour each time: more hours than one statement names as stretches. */
async function scatter(world: World): Promise<void> {
  for (let day = 0; day < 60; day++) {
    const at = new Date(Date.UTC(2026, 0, 1 + day * 2, (day * 7) % 24, 59, 59, 999)).toISOString()
    await world.sql(insertEvent, event(world, { at, tenant: world.tenants[day % world.tenants.length] ?? undefined }))
  }
}

/** Events of another century fall into the default partition, whose pages hold few rows. */
async function widen(world: World): Promise<void> {
  const [tenant] = world.tenants
  await world.sql(
    `insert into platform.usage_events
       (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, region, cost)
     select $1, gen_random_uuid(), timestamptz '2031-03-01T00:00:00Z' + n * interval '97 seconds', $2, $3, n % 1000, 5, n % 300, 'eu-west-1', 0.5
     from generate_series(1, ${rowsOfMany}) as n`,
    [tenant?.organization, tenant?.key, world.models[0]],
  )
}

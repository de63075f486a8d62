import { expect, test } from 'vitest'
import { runChecks } from '../../src/analytics/check/check.ts'
import { fillEvents, insertEvent, event, makeWorld, type World } from './support/world.ts'

test('sketches answer quantiles within one percent, for hours, days and everything, also after changes', async () => {
  const world = await makeWorld()
  await fillEvents(world, 2000)
  await world.sql('update platform.usage_events set latency_ms = (input_tokens * 7919) % 60000')
  await world.run()
  await expectQuantiles(world)
  await world.sql(`update platform.usage_events set latency_ms = latency_ms * 3 where input_tokens % 5 = 0`)
  await world.sql(`delete from platform.usage_events where input_tokens % 7 = 0`)
  await world.run()
  await expectQuantiles(world)
})

test('totals and freshness are those of the source', async () => {
  const world = await makeWorld()
  await fillEvents(world, 700)
  await world.run()
  await world.sql(insertEvent, event(world, { at: '2026-03-11T00:00:00Z' }))
  await world.run()
  const totals =
    'cast(sum(requests) as varchar) as requests, cast(sum(cost) as varchar) as cost, max(latency_ms_max) as slowest'
  const [source] = (
    await world.sql(
      `select count(*)::text as requests, sum(cost)::text as cost, max(latency_ms) as slowest from platform.usage_events`,
    )
  ).rows
  expect(await world.ask(`select ${totals} from analytics.platform_hourly`)).toEqual([source])
  expect(await world.ask(`select ${totals} from analytics.platform_daily`)).toEqual([source])
  const fresh = await world.sql(`
    select organization_id::text as organization, count(*)::text as requests, to_char(max(occurred_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
    from platform.usage_events group by 1 order by 1`)
  expect(
    await world.ask(
      `select organization_id as organization, cast(requests as varchar) as requests, last_occurred_at as at
       from analytics.organization_freshness order by cast(organization_id as varchar)`,
    ),
  ).toEqual(fresh.rows)
  const checked = await world.warehouse(warehouse => runChecks(world.project, { warehouse, emit: () => undefined }))
  expect(checked.checks.filter(check => check.status !== 'passed')).toEqual([])
})

/** The nearest rank of a quantile, computed by the source from all rows, against the bin that holds the same rank. */
async function expectQuantiles(world: World): Promise<void> {
  const bucket = { hourly: `date_trunc('hour', occurred_at, 'UTC')`, daily: `(occurred_at at time zone 'UTC')::date` }
  for (const grain of ['hourly', 'daily'] as const) {
    const source = await world.sql(`
      select percentile_disc(array[0.5, 0.95, 0.99]) within group (order by latency_ms) as quantiles
      from platform.usage_events group by ${bucket[grain]}, organization_id, model_id
      order by ${bucket[grain]}, organization_id, model_id`)
    const column = grain === 'hourly' ? 'bucket_hour' : 'bucket_day'
    const sketch = await world.ask<{ quantiles: number[] }>(`
      with ranked as (
        select *, sum(requests) over (partition by ${column}, organization_id, model_id order by latency_bin) as up_to,
          sum(requests) over (partition by ${column}, organization_id, model_id) as total
        from analytics.latency_${grain}
      )
      select [${[0.5, 0.95, 0.99]
        .map(q => `(2 * power(1.01 / 0.99, min(latency_bin) filter (up_to >= ceil(${q} * total))) / (1.01 / 0.99 + 1))`)
        .join(', ')}] as quantiles
      from ranked group by ${column}, organization_id, model_id
      order by ${column}, cast(organization_id as varchar), cast(model_id as varchar)`)
    expect(sketch.length).toBe(source.rows.length)
    for (const [index, { quantiles }] of sketch.entries())
      for (const [at, value] of quantiles.entries()) {
        const exact = Number(source.rows[index].quantiles[at])
        if (exact > 0) expect(Math.abs(value - exact) / exact).toBeLessThan(0.0101)
      }
  }
}

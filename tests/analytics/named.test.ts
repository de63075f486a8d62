import { describe, expect, test } from 'vitest'
import { event, expectExact, fillEvents, insertEvent, makeWorld, type World } from './support/world.ts'

describe('marks that name organizations', () => {
  test('have their rows alone read and replaced, in hours and in days', async () => {
    const world = await loadedWorld()
    const before = await proofs(world)
    const [tenant] = world.tenants
    await world.sql(insertEvent, event(world, { at: await busyHour(world), tenant }))
    expect((await marks(world)).map(({ organizations }) => organizations)).toEqual([[tenant?.organization]])
    const [report] = (await world.run()).sources
    const theirs = await world.sql(
      `select count(*)::int as rows from platform.usage_events
       where organization_id = $1 and date_trunc('hour', occurred_at, 'UTC') = $2`,
      [tenant?.organization, await busyHour(world)],
    )
    expect(report).toMatchObject({
      mode: 'changes',
      cells: 1,
      rows: theirs.rows[0]?.['rows'],
      late: { cells: 1, events: 1 },
    })
    await expectExact(world)
    // The cell holds one row more, and was compared as a whole when it was before.
    const after = await proofs(world)
    expect(sum(after) - sum(before)).toBe(1)
    expect(new Set(after.map(({ at }) => at))).toEqual(new Set(before.map(({ at }) => at)))
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('beside marks that name nobody are replaced with them, in one transaction', async () => {
    const world = await loadedWorld()
    await world.sql(insertEvent, event(world, { at: '2026-01-02T03:04:05Z' }))
    await world.sql(`insert into platform.usage_event_marks (bucket_hour, shard)
      select distinct date_trunc('hour', occurred_at, 'UTC'), platform.organization_shard(organization_id) from platform.usage_events
      where occurred_at >= timestamptz '2026-01-03T00:00:00Z'`)
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'changes', batches: 1 })
    await expectExact(world)
  })

  test('leave nothing behind of an organization whose rows moved or went', async () => {
    const world = await loadedWorld()
    const [first, second] = world.tenants
    await world.sql('delete from platform.usage_events where organization_id = $1', [first?.organization])
    await world.sql(
      `update platform.usage_events set occurred_at = occurred_at + interval '26 hours'
       where organization_id = $1 and extract(minute from occurred_at) < 30`,
      [second?.organization],
    )
    await world.run()
    await expectExact(world)
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('give transforms that a run left out what they lack', async () => {
    const world = await loadedWorld()
    const [first, second] = world.tenants
    const at = await busyHour(world)
    await world.sql(insertEvent, event(world, { at, tenant: first }))
    await world.run({ select: new Set(['usage_hourly']) })
    await world.sql(insertEvent, event(world, { at, tenant: second }))
    await world.run()
    await expectExact(world)
  })

  test('do without the names where the source has no such column', async () => {
    const world = await loadedWorld()
    await world.sql('alter table platform.usage_event_marks rename column organizations to whoever')
    await world.sql(`insert into platform.usage_event_marks (bucket_hour, shard)
      select distinct date_trunc('hour', occurred_at, 'UTC'), platform.organization_shard(organization_id) from platform.usage_events`)
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'changes', rows: 3000 })
    await expectExact(world)
  })
})

async function loadedWorld(): Promise<World> {
  const world = await makeWorld()
  await fillEvents(world, 3000)
  await world.run()
  return world
}

async function busyHour(world: World): Promise<string> {
  const { rows } = await world.sql(
    `select to_char(date_trunc('hour', occurred_at, 'UTC') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as hour
     from platform.usage_events group by 1 order by count(*) desc, 1 limit 1`,
  )
  return String(rows[0]?.['hour'])
}

async function marks(world: World) {
  return (await world.sql('select organizations from platform.usage_event_marks')).rows
}

async function proofs(world: World): Promise<{ at: string; rows: number }[]> {
  return world.warehouse(async session => {
    const { rows } = await session.query<{ at: string; source_rows: string }>(
      'select reconciled_at as at, source_rows from analytics.reconciled_cells',
    )
    return rows.map(row => ({ at: row.at, rows: Number(row.source_rows) }))
  })
}

function sum(all: readonly { readonly rows: number }[]): number {
  return all.reduce((total, { rows }) => total + rows, 0)
}

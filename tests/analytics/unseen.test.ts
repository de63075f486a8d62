import { expect, test } from 'vitest'
import type { Client } from 'pg'
import { event, expectExact, fillEvents, insertEvent, makeWorld, type World } from './support/world.ts'

/** Changes that no trigger sees: what marks cannot tell, reconciliation finds, names by place and kind, and repairs by marking. */
const unseen: readonly (readonly [string, (world: World, client: Client) => Promise<void>])[] = [
  [
    'statements aimed at a partition whose triggers are disabled',
    async (_, client) => {
      await client.query('alter table platform.usage_events_default disable trigger user')
      await client.query(
        'delete from platform.usage_events_default where event_id in (select event_id from platform.usage_events_default order by occurred_at limit 3)',
      )
      await client.query('alter table platform.usage_events_default enable trigger user')
    },
  ],
  [
    'statements aimed at the table whose triggers are disabled',
    async (world, client) => {
      await client.query('alter table platform.usage_events disable trigger user')
      await client.query(insertEvent, event(world, { at: '2026-03-04T05:06:07Z' }))
      await client.query('alter table platform.usage_events enable trigger user')
    },
  ],
  [
    'a session that replicates, as a logical subscriber or a restore with disabled triggers does',
    async (world, client) => {
      await client.query('set session_replication_role = replica')
      await client.query(insertEvent, event(world, { at: '2026-03-05T05:06:07Z' }))
      await client.query(
        `update platform.usage_events set cost = cost + 1 where event_id in (select event_id from platform.usage_events order by occurred_at limit 2)`,
      )
      await client.query(
        `update platform.usage_events set occurred_at = occurred_at + interval '2 days' where event_id in (select event_id from platform.usage_events order by occurred_at desc limit 1)`,
      )
      await client.query('reset session_replication_role')
    },
  ],
  [
    'a partition that was attached with its rows',
    async (world, client) => {
      await client.query(
        `create table platform.usage_events_attached (like platform.usage_events including defaults including constraints including indexes)`,
      )
      await client.query(
        insertEvent.replace('platform.usage_events', 'platform.usage_events_attached'),
        event(world, { at: '2030-01-01T00:30:00Z' }),
      )
      await client.query(
        `alter table platform.usage_events attach partition platform.usage_events_attached for values from ('2030-01-01T00:00:00Z') to ('2030-01-08T00:00:00Z')`,
      )
    },
  ],
  [
    'a partition that was detached with its rows',
    async (_, client) => {
      await client.query('alter table platform.usage_events detach partition platform.usage_events_default')
    },
  ],
]

test.each(unseen)('%s: found and repaired', async (_, change) => {
  const world = await makeWorld()
  await fillEvents(world, 300)
  await world.run()
  await change(world, await world.connect())
  const marks = await world.sql('select count(*)::int as marks from platform.usage_event_marks')
  expect(marks.rows).toEqual([{ marks: 0 }])
  expect((await world.run()).sources[0]).toMatchObject({ marks: 0 })

  const found = await world.reconcile({ action: 'report' })
  expect(found.status).toBe('different')
  expect(found.sources[0]?.differences[0]).toMatchObject({ table: 'raw.usage_events', shard: expect.any(Number) })
  const repaired = await world.reconcile()
  expect(repaired).toMatchObject({ status: 'repaired' })
  expect(repaired.sources[0]?.repaired).toBe(repaired.sources[0]?.different)
  await expectExact(world)
  expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
})

test('statements aimed at a partition are seen by its own triggers', async () => {
  const world = await makeWorld()
  await fillEvents(world, 50)
  await world.sql(`select platform.ensure_usage_event_partitions('2026-03-02T00:00:00Z', '2026-03-20T00:00:00Z')`)
  await world.run()
  for (const statement of [
    'update platform.usage_events_20260302 set cost = cost + 1 where latency_ms % 2 = 0',
    'delete from platform.usage_events_20260302 where latency_ms % 5 = 0',
    'truncate platform.usage_events_20260302',
  ]) {
    await world.sql(statement)
    await world.run()
    await expectExact(world)
  }
  await world.sql(
    insertEvent.replace('platform.usage_events', 'platform.usage_events_20260309'),
    event(world, { at: '2026-03-10T00:00:00Z' }),
  )
  await world.run()
  await expectExact(world)
})

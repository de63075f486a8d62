/** Whatever changes usage leaves a mark for each hour and shard that it changed, in the same transaction. */
import { once } from 'node:events'
import * as fc from 'fast-check'
import type pg from 'pg'
import copyStreams from 'pg-copy-streams'
import { describe, expect, test } from 'vitest'
import { platformDatabase, withClient } from '../support/database.ts'
import {
  acme,
  addTwoTenants,
  asTenant,
  beta,
  globalModelId,
  hoursLater,
  insertEvents,
  knownHour,
  type Tenant,
} from './two-tenants.ts'

/** A cell as the tests write it: hours after the known hour, and the tenant whose shard it is. */
function cell(hour: number, tenant: Tenant): string {
  return `${hoursLater(hour)} ${tenant.shard}`
}

async function marks(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ bucket_hour: Date; shard: number }>(
    'select distinct bucket_hour, shard from platform.usage_event_marks order by bucket_hour, shard',
  )
  return rows.map(({ bucket_hour, shard }) => `${bucket_hour.toISOString()} ${shard}`)
}

/** Runs the statement over three acme events (hours 0, 1 and 30) and one of beta (hour 0), and answers the cells it marked. */
async function marksOf(statement: string | ((client: pg.Client) => Promise<unknown>)): Promise<string[]> {
  const { url } = await platformDatabase()
  return withClient(url, async client => {
    await addTwoTenants(client)
    await client.query(insertEvents(acme, [{ at: hoursLater(1) }, { at: hoursLater(30) }]))
    await client.query('delete from platform.usage_event_marks')
    await (typeof statement === 'string' ? client.query(statement) : statement(client))
    return marks(client)
  })
}

async function partitionOf(client: pg.Client, at: string): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `select partition_name as name from platform.usage_event_partitions() where lower_bound <= $1 and upper_bound > $1`,
    [at],
  )
  return `platform.${rows[0]!.name}`
}

describe('marks', () => {
  test.each<{ what: string; run: Parameters<typeof marksOf>[0]; marked: readonly string[] }>([
    {
      what: 'an insert over hours and tenants',
      run: async client => {
        await client.query(insertEvents(acme, [{ at: hoursLater(0) }, { at: hoursLater(0) }, { at: hoursLater(5.99) }]))
        await client.query(insertEvents(beta, [{ at: hoursLater(-200) }]))
      },
      marked: [cell(-200, beta), cell(0, acme), cell(5, acme)],
    },
    {
      what: 'an insert for whose time there is no partition',
      run: async client => client.query(insertEvents(beta, [{ at: hoursLater(24 * 400) }])),
      marked: [cell(24 * 400, beta)],
    },
    {
      what: 'an insert aimed at a partition',
      run: async client =>
        client.query(insertEvents(acme, [{ at: hoursLater(2) }], await partitionOf(client, hoursLater(2)))),
      marked: [cell(2, acme)],
    },
    {
      what: 'a copy',
      run: async client => {
        const stream = client.query(
          copyStreams.from(
            'copy platform.usage_events (organization_id, event_id, occurred_at, api_key_id, model_id, region) from stdin (format csv)',
          ),
        )
        for (const hour of [3, 4])
          stream.write(
            `${acme.organizationId},50000000-0000-4000-8000-00000000000${hour},${hoursLater(hour)},${acme.apiKeyId},${globalModelId},eu-west-1\n`,
          )
        stream.end()
        await once(stream, 'finish')
      },
      marked: [cell(3, acme), cell(4, acme)],
    },
    {
      what: 'an update of a measure',
      run: `update platform.usage_events set cost = 1 where organization_id = '${acme.organizationId}' and occurred_at = '${hoursLater(1)}'`,
      marked: [cell(1, acme)],
    },
    {
      what: 'an update that moves an event to another hour',
      run: `update platform.usage_events set occurred_at = '${hoursLater(9)}' where occurred_at = '${hoursLater(1)}'`,
      marked: [cell(1, acme), cell(9, acme)],
    },
    {
      what: 'an update that moves an event to another partition',
      run: `update platform.usage_events set occurred_at = occurred_at - interval '14 days' where occurred_at = '${hoursLater(1)}'`,
      marked: [cell(1 - 14 * 24, acme), cell(1, acme)],
    },
    {
      what: 'an update that moves an event to the default partition',
      run: `update platform.usage_events set occurred_at = occurred_at + interval '400 days' where occurred_at = '${hoursLater(1)}'`,
      marked: [cell(1, acme), cell(1 + 400 * 24, acme)],
    },
    {
      what: 'an update that moves an event to another tenant',
      run: `update platform.usage_events set organization_id = '${beta.organizationId}', api_key_id = '${beta.apiKeyId}' where occurred_at = '${hoursLater(1)}'`,
      marked: [cell(1, acme), cell(1, beta)],
    },
    {
      what: 'an update aimed at a partition',
      run: async client =>
        client.query(
          `update ${await partitionOf(client, hoursLater(1))} set cost = 1 where occurred_at = '${hoursLater(1)}'`,
        ),
      marked: [cell(1, acme)],
    },
    {
      what: 'a delete',
      run: `delete from platform.usage_events where occurred_at >= '${hoursLater(1)}'`,
      marked: [cell(1, acme), cell(30, acme)],
    },
    {
      what: 'a delete aimed at a partition',
      run: async client =>
        client.query(`delete from ${await partitionOf(client, hoursLater(0))} where occurred_at = '${hoursLater(0)}'`),
      marked: [cell(0, acme), cell(0, beta)],
    },
    {
      what: 'a truncate',
      run: 'truncate platform.usage_events',
      marked: [cell(0, acme), cell(0, beta), cell(1, acme), cell(30, acme)],
    },
    {
      what: 'a merge that inserts, updates and deletes',
      run: `
        merge into platform.usage_events as event
        using (values ('${hoursLater(0)}'::timestamptz), ('${hoursLater(1)}'), ('${hoursLater(7)}')) as wanted (occurred_at)
          on event.occurred_at = wanted.occurred_at and event.organization_id = '${acme.organizationId}'
        when matched and wanted.occurred_at = '${hoursLater(1)}' then delete
        when matched then update set cost = 2
        when not matched then
          insert (organization_id, event_id, occurred_at, api_key_id, model_id, region)
          values ('${acme.organizationId}', gen_random_uuid(), wanted.occurred_at, '${acme.apiKeyId}', '${globalModelId}', 'eu')`,
      marked: [cell(0, acme), cell(1, acme), cell(7, acme)],
    },
    {
      what: 'an insert by a tenant',
      run: async client => {
        await client.query('begin')
        await client.query('set local role plinth_app')
        await client.query(`set local plinth.organization_id = '${beta.organizationId}'`)
        await client.query(insertEvents(beta, [{ at: hoursLater(8) }]))
        await client.query('commit')
      },
      marked: [cell(8, beta)],
    },
    {
      what: 'a drop of partitions',
      run: `select * from platform.drop_usage_event_partitions('infinity')`,
      marked: [cell(0, acme), cell(0, beta), cell(1, acme), cell(30, acme)],
    },
  ])('$what', async ({ run, marked }) => {
    expect(await marksOf(run)).toEqual([...marked].sort())
  })

  test.each<{ what: string; run: Parameters<typeof marksOf>[0] }>([
    {
      what: 'an event that was sent again',
      run: async client => {
        await client.query(insertEvents(acme, [{ at: hoursLater(6), id: acme.userId }]))
        await client.query('delete from platform.usage_event_marks')
        const again = await client.query(
          `${insertEvents(acme, [{ at: hoursLater(6), id: acme.userId }])} on conflict do nothing`,
        )
        expect(again.rowCount).toBe(0)
      },
    },
    { what: 'a statement that changes no row', run: 'update platform.usage_events set cost = 1 where false' },
    {
      what: 'a transaction that is rolled back',
      run: async client =>
        asTenant(client, acme.organizationId, async () => client.query(insertEvents(acme, [{ at: hoursLater(6) }]))),
    },
    {
      what: 'a savepoint that is rolled back',
      run: async client => {
        await client.query('begin; savepoint half')
        await client.query(insertEvents(acme, [{ at: hoursLater(6) }]))
        await client.query('rollback to savepoint half; commit')
      },
    },
  ])('nothing for $what', async ({ run }) => {
    expect(await marksOf(run)).toEqual([])
  })
})

test('a truncate of one partition marks what that partition held', async () => {
  const marked = await marksOf(async client => {
    await client.query(insertEvents(beta, [{ at: hoursLater(24 * 400) }]))
    await client.query('delete from platform.usage_event_marks')
    await client.query('truncate platform.usage_events_default')
  })
  expect(marked).toEqual([cell(24 * 400, beta)])
})

test('a mark carries the transaction of the change, so a snapshot tells whether it holds it', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async writer => {
    await addTwoTenants(writer)
    await writer.query('delete from platform.usage_event_marks')
    await withClient(url, async reader => {
      await writer.query('begin; savepoint inner_work')
      await writer.query(insertEvents(acme, [{ at: hoursLater(1) }]))
      await writer.query('release savepoint inner_work')
      await writer.query(insertEvents(acme, [{ at: hoursLater(2) }]))
      const before = await reader.query<{ snapshot: string }>('select pg_current_snapshot() as snapshot')
      await writer.query('commit')
      const { rows } = await reader.query<{ bucket_hour: Date; seen_before: boolean; seen_now: boolean }>(
        `select
           bucket_hour,
           pg_visible_in_snapshot(xid::text::xid8, $1::pg_snapshot) as seen_before,
           pg_visible_in_snapshot(xid::text::xid8, pg_current_snapshot()) as seen_now
         from platform.usage_event_marks
         order by bucket_hour`,
        [before.rows[0]!.snapshot],
      )
      expect(rows).toEqual([
        { bucket_hour: new Date(hoursLater(1)), seen_before: false, seen_now: true },
        { bucket_hour: new Date(hoursLater(2)), seen_before: false, seen_now: true },
      ])
    })
  })
})

test('the shard of an organization is the low six bits of its id', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await fc.assert(
      fc.asyncProperty(fc.uuid(), async id => {
        const { rows } = await client.query<{ shard: number }>('select platform.organization_shard($1) as shard', [id])
        expect(rows[0]?.shard).toBe(Number.parseInt(id.slice(-2), 16) & 63)
      }),
      { numRuns: 50 },
    )
  })
})

/** The statement that one random step runs; `target` aims it at the parent or at the partition of the hour. */
const step = fc.record({
  kind: fc.constantFrom('insert', 'update cost', 'move hour', 'move tenant', 'delete', 'upsert'),
  hour: fc.integer({ min: -400, max: 400 }),
  span: fc.integer({ min: 1, max: 300 }),
  tenant: fc.constantFrom(acme, beta),
  target: fc.constantFrom('parent', 'partition'),
})

test('whatever statements run, every cell that ends up different is marked', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    for (const tenant of [acme, beta])
      await client.query(
        insertEvents(
          tenant,
          Array.from({ length: 60 }, (_, index) => ({ at: hoursLater(index * 13 - 390) })),
        ),
      )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async steps => {
        await client.query('begin')
        try {
          await client.query('delete from platform.usage_event_marks')
          const before = await cellDigests(client)
          for (const { kind, hour, span, tenant, target } of steps) {
            const table =
              target === 'parent' || kind.startsWith('move')
                ? 'platform.usage_events'
                : await partitionOf(client, hoursLater(hour))
            const range = `occurred_at >= '${hoursLater(hour)}' and occurred_at < '${hoursLater(hour + span)}'`
            const other = tenant === acme ? beta : acme
            await client.query(
              {
                insert: () => insertEvents(tenant, [{ at: hoursLater(hour) }], table),
                upsert: () =>
                  `${insertEvents(tenant, [{ at: hoursLater(hour), id: tenant.userId }], table)}
                   on conflict (organization_id, event_id, occurred_at) do update set cost = usage_events.cost + 1`.replaceAll(
                    'usage_events.cost',
                    `${table.replace('platform.', '')}.cost`,
                  ),
                'update cost': () => `update ${table} set cost = cost + 1 where ${range}`,
                'move hour': () =>
                  `update ${table} set occurred_at = occurred_at + interval '${span} hours' where ${range}`,
                'move tenant': () =>
                  `update ${table} set organization_id = '${other.organizationId}', api_key_id = '${other.apiKeyId}'
                   where ${range} and organization_id = '${tenant.organizationId}'`,
                delete: () => `delete from ${table} where ${range}`,
              }[kind](),
            )
          }
          const after = await cellDigests(client)
          const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
            key => before.get(key) !== after.get(key),
          )
          const marked = await marks(client)
          expect(changed.filter(key => !marked.includes(key))).toEqual([])
        } finally {
          await client.query('rollback')
        }
      }),
      { numRuns: 40 },
    )
  })
})

async function cellDigests(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ bucket_hour: Date; shard: number; digest: string }>(
    `select
       date_trunc('hour', occurred_at, 'UTC') as bucket_hour,
       platform.organization_shard(organization_id) as shard,
       count(*) || ' ' || sum(hashtextextended(event::text, 0)) as digest
     from platform.usage_events as event
     group by 1, 2`,
  )
  expect(knownHour.getUTCMinutes()).toBe(0)
  return new Map(rows.map(({ bucket_hour, shard, digest }) => [`${bucket_hour.toISOString()} ${shard}`, digest]))
}

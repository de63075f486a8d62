/** Partitions of usage events: made ahead, made on demand, aligned whatever the session says, and dropped with their marks. */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { platformDatabase, withClient } from '../support/database.ts'
import { acme, addTwoTenants, attempt, beta, hoursLater, insertEvents } from './two-tenants.ts'

interface Partition {
  readonly partition_name: string
  readonly lower_bound: Date
  readonly upper_bound: Date
}

async function partitions(client: pg.Client): Promise<Partition[]> {
  return (await client.query<Partition>('select * from platform.usage_event_partitions()')).rows
}

async function withPlatform(work: (client: pg.Client, url: string) => Promise<void>): Promise<void> {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    await work(client, url)
  })
}

const dayMs = 86_400_000

describe('partitions made ahead', () => {
  test('are weeks from Monday in UTC, without a gap, from four weeks ago to eight weeks ahead', async () => {
    await withPlatform(async client => {
      const made = await partitions(client)
      for (const [index, part] of made.entries()) {
        expect(part.lower_bound.getUTCDay()).toBe(1)
        expect(part.upper_bound.getTime() - part.lower_bound.getTime()).toBe(7 * dayMs)
        expect(part.partition_name).toBe(
          `usage_events_${part.lower_bound.toISOString().slice(0, 10).replaceAll('-', '')}`,
        )
        if (index > 0) expect(part.lower_bound).toEqual(made[index - 1]!.upper_bound)
      }
      expect(made[0]!.lower_bound.getTime()).toBeLessThanOrEqual(Date.now() - 28 * dayMs)
      expect(made.at(-1)!.upper_bound.getTime()).toBeGreaterThan(Date.now() + 56 * dayMs)
      expect(made).toHaveLength(13)
      const { rows } = await client.query('select row_count, first_occurred_at from platform.usage_event_default_rows')
      expect(rows).toEqual([{ row_count: '0', first_occurred_at: null }])
    })
  })

  test('are kept ready by maintenance as the settings ask', async () => {
    await withPlatform(async client => {
      expect((await client.query('select from platform.maintain_usage_event_partitions()')).rowCount).toBe(0)
      await client.query('update platform.partition_settings set partitions_ahead = partitions_ahead + 2')
      expect((await client.query('select from platform.maintain_usage_event_partitions()')).rowCount).toBe(2)
      const later = await client.query(
        `select from platform.maintain_usage_event_partitions(now() + interval '21 days')`,
      )
      expect(later.rowCount).toBe(3)
    })
  })
})

describe('ensure', () => {
  test('makes what is missing, once, and answers what it made', async () => {
    await withPlatform(async client => {
      const ensure = `select * from platform.ensure_usage_event_partitions('2031-05-07T12:00:00Z', '2031-05-12T00:00:00Z')`
      expect((await client.query(ensure)).rows).toEqual([
        {
          partition_name: 'usage_events_20310505',
          lower_bound: new Date('2031-05-05'),
          upper_bound: new Date('2031-05-12'),
          moved_rows: '0',
        },
        {
          partition_name: 'usage_events_20310512',
          lower_bound: new Date('2031-05-12'),
          upper_bound: new Date('2031-05-19'),
          moved_rows: '0',
        },
      ])
      expect((await client.query(ensure)).rows).toEqual([])
    })
  })

  test('makes the same partitions whatever the session’s time zone and date style', async () => {
    await withPlatform(async client => {
      await client.query(
        `set timezone = 'America/St_Johns'; set datestyle = 'SQL, DMY'; set intervalstyle = 'sql_standard'`,
      )
      const made = await client.query<Partition>(
        `select * from platform.ensure_usage_event_partitions('2031-03-01T00:00:00Z', '2031-04-15T00:00:00Z')`,
      )
      expect(made.rows.map(part => part.partition_name)).toEqual([
        'usage_events_20310224',
        'usage_events_20310303',
        'usage_events_20310310',
        'usage_events_20310317',
        'usage_events_20310324',
        'usage_events_20310331',
        'usage_events_20310407',
        'usage_events_20310414',
      ])
      const bounds = await client.query(
        `select from platform.usage_event_partitions()
         where extract(hour from lower_bound at time zone 'UTC') <> 0 or upper_bound - lower_bound <> interval '7 days'`,
      )
      expect(bounds.rowCount).toBe(0)
    })
  })

  test('moves rows that wait in the default partition, which would otherwise refuse the partition', async () => {
    await withPlatform(async client => {
      const early = '2031-05-05T00:00:00.000Z'
      const late = '2031-05-11T23:59:59.999Z'
      const elsewhere = '2031-05-12T00:00:00.000Z'
      await client.query(insertEvents(acme, [{ at: early }, { at: late }, { at: elsewhere }]))
      const watched = await client.query('select * from platform.usage_event_default_rows')
      expect(watched.rows).toEqual([
        { row_count: '3', first_occurred_at: new Date(early), last_occurred_at: new Date(elsewhere) },
      ])
      await client.query('begin')
      const naive = await attempt(
        client,
        `create table platform.naive partition of platform.usage_events for values from ('2031-05-05T00:00:00Z') to ('2031-05-12T00:00:00Z')`,
      )
      expect(naive.refused, 'the known failure').toBe('23514')
      await client.query('rollback')

      const { rows } = await client.query<{ partition_name: string; moved_rows: string }>(
        `select partition_name, moved_rows from platform.ensure_usage_event_partitions('${early}', '${late}')`,
      )
      expect(rows).toEqual([{ partition_name: 'usage_events_20310505', moved_rows: '2' }])
      expect((await client.query('select from platform.usage_events_20310505')).rowCount).toBe(2)
      expect((await client.query('select row_count from platform.usage_event_default_rows')).rows).toEqual([
        { row_count: '1' },
      ])
      expect((await client.query('select from platform.usage_events')).rowCount).toBe(5)
    })
  })

  test('can be called by many at once: each partition is made once, nobody fails', async () => {
    await withPlatform(async (_client, url) => {
      const results = await Promise.all(
        Array.from({ length: 5 }, () =>
          withClient(url, async client => {
            const { rows } = await client.query<Partition>(
              `select * from platform.ensure_usage_event_partitions('2031-01-01T00:00:00Z', '2031-02-28T00:00:00Z')`,
            )
            return rows.map(part => part.partition_name)
          }),
        ),
      )
      const made = results.flat()
      expect(made).toHaveLength(9)
      expect(new Set(made).size).toBe(9)
    })
  })

  test('neither loses nor refuses an event that arrives meanwhile', async () => {
    await withPlatform(async (client, url) => {
      const progress = { written: 0, finished: false }
      const thirtyMore = async () => {
        const enough = progress.written + 30
        while (progress.written < enough && !progress.finished) await sleep(5)
      }
      const events = [{ at: '2031-01-08T00:00:00Z' }, { at: '2031-01-15T00:00:00Z' }, {}]
      const writers = Promise.allSettled(
        [acme, beta].map(tenant =>
          withClient(url, async writer => {
            while (!progress.finished) {
              await writer.query(insertEvents(tenant, events))
              progress.written += events.length
            }
          }).finally(() => (progress.finished = true)),
        ),
      )
      for (const { at } of events.slice(0, 2)) {
        await thirtyMore()
        await client.query('select * from platform.ensure_usage_event_partitions($1, $1)', [at])
      }
      await thirtyMore()
      progress.finished = true
      expect((await writers).map(writer => (writer.status === 'rejected' ? String(writer.reason) : 'done'))).toEqual([
        'done',
        'done',
      ])
      expect((await client.query('select from platform.usage_events')).rowCount).toBe(progress.written + 2)
      expect((await client.query('select row_count from platform.usage_event_default_rows')).rows).toEqual([
        { row_count: '0' },
      ])
    })
  })

  test('lets readers of other partitions go on while it works', async () => {
    await withPlatform(async (client, url) => {
      await client.query('begin')
      await client.query(`select * from platform.ensure_usage_event_partitions('2031-05-05Z', '2031-05-05Z')`)
      await withClient(url, async reader => {
        await reader.query(`set lock_timeout = '2s'`)
        const { rowCount } = await reader.query(
          `select from platform.usage_events where occurred_at >= '${hoursLater(0)}' and occurred_at < '${hoursLater(1)}'`,
        )
        expect(rowCount).toBe(2)
      })
      await client.query('rollback')
    })
  })

  test.each(['day', 'month'])('fits partitions of a %s between the weeks that are there', async width => {
    await withPlatform(async client => {
      await client.query('update platform.partition_settings set width = $1', [width])
      await client.query(
        `select * from platform.ensure_usage_event_partitions(now() - interval '90 days', now() + interval '120 days')`,
      )
      const made = await partitions(client)
      for (const [index, part] of made.entries()) {
        expect(part.partition_name).toBe(
          `usage_events_${part.lower_bound.toISOString().slice(0, 10).replaceAll('-', '')}`,
        )
        if (index > 0) expect(part.lower_bound).toEqual(made[index - 1]!.upper_bound)
      }
      expect(made[0]!.lower_bound.getTime()).toBeLessThanOrEqual(Date.now() - 90 * dayMs)
      expect(made.at(-1)!.upper_bound.getTime()).toBeGreaterThan(Date.now() + 119 * dayMs)
    })
  })

  test('refuses a range that is missing, endless, backwards or too long', async () => {
    await withPlatform(async client => {
      const before = await partitions(client)
      for (const [range, sqlState] of [
        [`null, now()`, '22023'],
        [`now(), null`, '22023'],
        [`now(), 'infinity'`, '22023'],
        [`'-infinity', now()`, '22023'],
        [`now(), now() - interval '1 second'`, '22023'],
        [`'2000-01-01', '2090-01-01'`, '54000'],
      ])
        await expect(
          client.query(`select * from platform.ensure_usage_event_partitions(${range})`),
          range,
        ).rejects.toMatchObject({ code: sqlState, hint: expect.stringMatching(/\.$/) })
      expect(await partitions(client)).toEqual(before)
    })
  })
})

test('every partition has the row security, statement triggers, checks and foreign keys of its parent', async () => {
  await withPlatform(async client => {
    await client.query(`select * from platform.ensure_usage_event_partitions('2031-05-05', '2031-05-05')`)
    const { rows } = await client.query<{ name: string; shape: unknown }>(`
      select
        class.relname as name,
        jsonb_build_object(
          'security', array[class.relrowsecurity, class.relforcerowsecurity],
          'triggers', (
            select array_agg(format('%s %s %s %s', tgname, tgtype, tgenabled, tgfoid::regproc) order by tgname)
            from pg_trigger
            where tgrelid = class.oid and not tgisinternal
          ),
          'checks', (select array_agg(conname order by conname) from pg_constraint where conrelid = class.oid and contype = 'c'),
          'references', (
            select array_agg(confrelid::regclass::text order by confrelid::regclass::text)
            from pg_constraint
            where conrelid = class.oid and contype = 'f'
          ),
          'indexes', (select count(*) from pg_index where indrelid = class.oid and indisvalid),
          'policies', (
            select array_agg(polname order by polname) from pg_policy where polrelid = class.oid and polname <> 'usage_events_tenant'
          )
        ) as shape
      from pg_class as class
      where class.oid = 'platform.usage_events'::regclass
        or class.oid in (select inhrelid from pg_inherits where inhparent = 'platform.usage_events'::regclass)
      order by class.relispartition, class.relname`)
    expect(rows).toHaveLength(16)
    for (const { name, shape } of rows) expect({ name, shape }).toEqual({ name, shape: rows[0]!.shape })
  })
})

describe('drop', () => {
  test('removes partitions that ended, marks what they held, and keeps the rest', async () => {
    await withPlatform(async client => {
      await client.query(insertEvents(acme, [{ at: hoursLater(-14 * 24) }, { at: '2010-01-01T00:00:00Z' }]))
      const [first, second, third] = await partitions(client)
      const before = (await client.query('select from platform.usage_events')).rowCount!
      await client.query('delete from platform.usage_event_marks')
      const { rows } = await client.query<{ partition_name: string; dropped_rows: string }>(
        `select partition_name, dropped_rows from platform.drop_usage_event_partitions($1)`,
        [new Date(third!.upper_bound.getTime() - 1)],
      )
      expect(rows.map(part => part.partition_name)).toEqual([first!.partition_name, second!.partition_name])
      const dropped = rows.reduce((sum, part) => sum + Number(part.dropped_rows), 0)
      expect(dropped).toBe(1)
      expect((await client.query('select from platform.usage_event_marks')).rowCount).toBe(1)
      expect((await client.query('select from platform.usage_events')).rowCount, 'the default partition stays').toBe(
        before - dropped,
      )
      expect((await partitions(client))[0]).toEqual(third)
      const again = await client.query(`select * from platform.drop_usage_event_partitions($1)`, [third!.lower_bound])
      expect(again.rowCount).toBe(0)
    })
  })

  test('refuses to guess', async () => {
    await withPlatform(async client => {
      await expect(client.query('select * from platform.drop_usage_event_partitions(null)')).rejects.toMatchObject({
        code: '22023',
      })
    })
  })
})

test('the migrator makes and drops partitions; services and analytics may not', async () => {
  await withPlatform(async client => {
    const ensure = `select * from platform.ensure_usage_event_partitions('2031-05-05', '2031-05-05')`
    const drop = `select * from platform.drop_usage_event_partitions('2001-01-01')`
    for (const [role, refused] of [
      ['plinth_app', '42501'],
      ['plinth_analytics', '42501'],
      ['plinth_migrator', null],
    ] as const) {
      await client.query('begin')
      await client.query(`set local role ${role}`)
      expect((await attempt(client, ensure)).refused, role).toBe(refused)
      expect((await attempt(client, drop)).refused, role).toBe(refused)
      expect((await attempt(client, 'select * from platform.maintain_usage_event_partitions()')).refused, role).toBe(
        refused,
      )
      await client.query('rollback')
    }
  })
})

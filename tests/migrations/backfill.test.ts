import { beforeAll, describe, expect, test } from 'vitest'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import type { Session } from '../../src/engines/engine.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { applyInChild, ensureBuilt } from './child.ts'
import { duckDatabase, failureOf, type Files, folderOf, listener, openSession, someone, writeFiles } from './support.ts'

const table = 'create table items (id int primary key, n int not null, note text);'
const fill = (rows: number) => `insert into items select i, 0, null from generate_series(1, ${rows}) i;`

async function begin(files: Files, setup = table + fill(105)) {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  await session.script(setup)
  return { url, session, folder: await folderOf(files) }
}

async function one<T>(session: Session, query: string): Promise<T | undefined> {
  return (await session.query<{ value: T }>(`select ${query} as value`)).rows[0]?.value
}

describe('a backfill', () => {
  test('runs an update in batches, tells how far it is, and counts what it changed', async () => {
    const { session, folder } = await begin({
      '1_fill': [
        '-- plinth: batch=10\nupdate items as i set n = i.n + 1 where i.id % 2 = 1 or i.id = 2 -- odd ones\n;',
        '-- Nothing to undo.',
      ],
    })
    const heard = listener()
    const report = await applyTrack(session, { ...someone, folder, emit: heard.emit })
    expect(report).toMatchObject({ status: 'succeeded', done: [{ mode: 'statement-wise', rows: 54 }] })
    expect(await one(session, '(select sum(n) from items)')).toBe('54')
    const progress = heard.of('progress')
    expect(progress.map(fact => fact.done)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 105])
    expect(progress[0]).toMatchObject({ task: 'backfill items', total: 105, unit: 'rows' })
    expect(heard.of('statement.finished')).toMatchObject([{ rows: 54, line: 2 }])
  })

  test('follows a key of several columns in the order of the index', async () => {
    const { session, folder } = await begin(
      {
        '1_fill': [
          '-- plinth: batch=7\nupdate "Parts" p set n = n + w.weight from weights w where w.region = p."Region";',
          '-- The archive brings back what was there.',
        ],
      },
      `create table "Parts" ("Region" text collate "C", at timestamptz, id uuid default gen_random_uuid(), n int default 0, primary key ("Region", at, id));
      create table weights (region text, weight int);
      insert into weights values ('eu', 2), ('Us', 3);
      insert into "Parts" ("Region", at) select case i % 2 when 0 then 'eu' else 'Us' end, '2026-01-01'::timestamptz + (i % 5) * interval '1 microsecond' from generate_series(1, 100) i;`,
    )
    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({ status: 'succeeded', done: [{ rows: 100 }] })
    expect(await one(session, '(select sum(n) from "Parts")')).toBe('250')
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(back).toMatchObject({ status: 'succeeded', direction: 'down' })
    expect(await one(session, '(select sum(n) from "Parts")')).toBe('0')
  })

  test('deletes and copies from a select in batches, beside statements that run whole', async () => {
    const { session, folder } = await begin(
      {
        '1_split': [
          `-- plinth: batch=20
create table odd (id int primary key, label text);
create unique index odd_id on odd (id) where id > 0;
insert into odd (id, label) select i.id, 'a' || i.n from items i left join items_names x on x.id = i.id where i.id % 2 = 1
on conflict (id) where id > 0 do nothing;
insert into odd select id + 1000 from items;
delete from items where id % 2 = 1;`,
          'drop table odd;',
        ],
      },
      `${table}${fill(105)} create table items_names (id int primary key);`,
    )
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.error).toBeNull()
    expect(report.done).toMatchObject([{ rows: 53 + 105 + 53 }])
    expect(await one(session, '(select count(*) from odd where id < 1000)')).toBe('53')
    expect(await one(session, '(select count(*) from items)')).toBe('52')
  })

  test('works on a partitioned table and on one without a row', async () => {
    const { session, folder } = await begin(
      { '1_fill': ['-- plinth: batch=3\nupdate events set n = 1;\nupdate nothing set n = 1;', ''] },
      `create table events (at date, id int, n int, primary key (at, id)) partition by range (at);
      create table events_a partition of events for values from ('2026-01-01') to ('2026-02-01');
      create table events_b partition of events for values from ('2026-02-01') to ('2026-03-01');
      insert into events select '2026-01-28'::date + i % 7, i, 0 from generate_series(1, 20) i;
      create table nothing (id int primary key, n int);`,
    )
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'succeeded',
      done: [{ rows: 20 }],
    })
    expect(await one(session, '(select sum(n) from events)')).toBe('20')
  })

  test('goes on behind its last batch after a failure, and does no row twice', async () => {
    const { session, folder } = await begin(
      {
        '1_fill': [
          '-- plinth: batch=10\nupdate items set n = n + 100 / (id - 55 + bias.value) from bias;',
          '-- plinth: batch=10\nupdate items set n = 0;',
        ],
      },
      `${table}${fill(105)} create table bias (value int); insert into bias values (0);`,
    )
    const failed = await applyTrack(session, { ...someone, folder })
    expect(failed).toMatchObject({ status: 'failed', failed: { sqlState: '22012', line: 2 } })
    const before = await one<string>(session, '(select sum(n) from items where id <= 50)')
    await session.script('update bias set value = 1000')
    const heard = listener()
    const report = await applyTrack(session, { ...someone, folder, retryFailed: true, emit: heard.emit })
    expect(report.status).toBe('succeeded')
    expect(heard.of('progress')[0]?.done).toBe(50)
    expect(await one(session, '(select sum(n) from items where id <= 50)')).toBe(before)
  })

  test('that was edited in the middle is refused, and can be taken back', async () => {
    const { session, folder } = await begin({
      '1_fill': [
        '-- plinth: batch=10\nupdate items set n = 1 + 0 / (id - 55);',
        '-- The archive brings back what was there.',
      ],
    })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'failed' })
    for (const text of ['-- plinth: batch=10\nupdate items set n = 2;', 'update items set n = 1 + 0 / (id - 55);']) {
      await writeFiles(folder, { '1_fill.up.sql': text })
      expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({ code: 'STEP_INTERRUPTED' })
    }
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(back.status).toBe('succeeded')
    expect(await one(session, '(select sum(n) from items)')).toBe('0')
    await writeFiles(folder, { '1_fill.up.sql': '-- plinth: batch=10\nupdate items set n = 2;' })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    expect(await one(session, '(select sum(n) from items)')).toBe('210')
  })

  test('waits for a row that another writer holds, and keeps that writer’s value', async () => {
    const { url, session, folder } = await begin({
      '1_fill': ['-- plinth: batch=10 lock-timeout=50ms retries=20\nupdate items set n = n + 1;', ''],
    })
    const heard = listener()
    await withClient(url, async client => {
      await client.query('begin')
      await client.query('update items set n = 41 where id = 25')
      const run = applyTrack(session, {
        ...someone,
        folder,
        emit: fact => {
          heard.emit(fact)
          if (fact.type === 'step.retried' && fact.attempt === 1) void client.query('commit')
        },
      })
      expect((await run).status).toBe('succeeded')
    })
    expect(heard.of('step.retried').length).toBeGreaterThan(0)
    expect(await one(session, '(select n from items where id = 25)')).toBe(42)
    expect(await one(session, '(select sum(n) from items)')).toBe(String(104 + 42))
  })

  test('is held back while more sessions work than its ceiling allows', async () => {
    const { url, session, folder } = await begin({
      '1_fill': ['-- plinth: batch=10 max-active=1\nupdate items set n = n + 1;', ''],
    })
    const heard = listener()
    // Other tests work on the same server, so two sleepers alone are above the ceiling, whatever they do.
    await withClient(url, async first =>
      withClient(url, async second => {
        const { rows } = await first.query('select pg_backend_pid() as pid')
        const other = await second.query('select pg_backend_pid() as pid')
        const sleepers = [first, second].map(client => client.query('select pg_sleep(600)').catch(() => undefined))
        await waitUntil(
          async () =>
            (await one<string>(
              session,
              "(select count(*) from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active' and datname = current_database())",
            )) === '2',
        )
        const release = async () => {
          for (const { pid } of [rows[0], other.rows[0]])
            await withClient(url, client => client.query('select pg_cancel_backend($1)', [pid]))
        }
        const stop = new AbortController()
        const run = applyTrack(session, {
          ...someone,
          folder,
          signal: stop.signal,
          emit: fact => {
            heard.emit(fact)
            if (fact.type === 'backfill.held') stop.abort()
          },
        })
        expect(await run).toMatchObject({ status: 'interrupted' })
        await release()
        await Promise.all(sleepers)
      }),
    )
    expect(heard.of('backfill.held')[0]).toMatchObject({ reason: 'sessions', ceiling: 1, pauseMs: 100 })
    expect(await one(session, '(select sum(n) from items)')).toBe('10')
    await writeFiles(folder, { '1_fill.up.sql': '-- plinth: batch=10 max-active=0\nupdate items set n = n + 1;' })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    expect(await one(session, '(select sum(n) from items)')).toBe('105')
  })

  test.each([
    ['update bare set n = 1;', 1, /bare has no primary key/],
    ['update items set id = id + 1000;', 1, /changes "id"/],
    ['select 1;\nupdate items set n = (select max(n) from items);', 2, /items again/],
    ['with x as (select 1) update items set n = 1;', 1, /"with"/],
    ['delete from items returning id;', 1, /returns/],
    ['insert into bare select count(*) from items;', 1, /counts or compares/],
    ['insert into bare select n from items order by id;', 1, /orders/],
    ['insert into bare select n from items union select 1;', 1, /union/],
    ['insert into items select n from items;', 1, /items again/],
    ['insert into bare select 1 from generate_series(1, 3);', 1, /no plain table/],
    ['insert into bare select n from items on conflict do nothing returning n;', 1, /returns/],
    ['insert into keyed select id from items on conflict (id) do update set id = keyed.id;', 1, /overwrites/],
    ['merge into items using bare b on b.n = items.n when matched then delete;', 1, /merge/],
    ['insert into bare select 1 from bare b full join items i on true;', 1, /bare again|other table/],
  ])('refuses %j with its reason, and changes nothing', async (text, line, message) => {
    const { session, folder } = await begin(
      { '1_x': [`-- plinth: batch=10\n${text}`, ''] },
      `${table}${fill(20)}create table bare (n int); insert into bare values (1);`,
    )
    const thrown = await applyTrack(session, { ...someone, folder }).then(
      report => report.error,
      (error: unknown) => error,
    )
    expect(thrown).toMatchObject({
      code: 'BACKFILL_UNSUPPORTED',
      exitStatus: 2,
      message: expect.stringMatching(message),
      at: { line: line + 1 },
    })
    expect(await one(session, "(select count(*) || ' ' || sum(n) from items)")).toBe('20 0')
    expect(await one(session, '(select count(*) from bare)')).toBe('1')
  })

  test('needs a statement to cut, and PostgreSQL', async () => {
    const { session, folder } = await begin({ '1_x': ['-- plinth: batch=10\ncreate table b (id int);', ''] })
    expect(await failureOf(planTrack(session, { ...someone, folder, direction: 'up' }))).toMatchObject({
      code: 'DIRECTIVE_INVALID',
    })
    const duck = await openSession(await duckDatabase())
    expect(await failureOf(planTrack(duck, { ...someone, folder, direction: 'up' }))).toMatchObject({
      code: 'BACKFILL_UNSUPPORTED',
      message: expect.stringMatching(/only PostgreSQL/),
    })
  })
})

describe('what batches overwrite', () => {
  test('comes back with the rollback, also over two attempts, and later values stay', async () => {
    const { session, folder } = await begin(
      {
        '1_wipe': [
          '-- plinth: batch=10\nupdate items set n = -1 where n > 1 and 1 / (id - 47 + (select value from bias)) is not null;\ndelete from items where id > 100;',
          '-- The archive brings back what was there.',
        ],
      },
      `${table} insert into items select i, i, 'n' || i from generate_series(1, 105) i; create table bias (value int); insert into bias values (0);`,
    )
    const before = (await session.query('select * from items order by id')).rows
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'failed',
      failed: { sqlState: '22012' },
    })
    await session.script('update bias set value = 1000')
    expect(await applyTrack(session, { ...someone, folder, retryFailed: true })).toMatchObject({ status: 'succeeded' })
    expect(await one(session, "(select count(*) || ' ' || sum(n) from items)")).toBe('100 -98')
    await session.script('update items set n = 7777 where id = 50')
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(back.error).toBeNull()
    expect((await session.query('select * from items order by id')).rows).toEqual(
      before.map(row => (row['id'] === 50 ? { ...row, n: 7777 } : row)),
    )
  })
})

describe('a backfill that is killed', () => {
  beforeAll(ensureBuilt)

  test.each([1, 4, 11])('after batch %i is finished by the next run, with no row done twice', async batches => {
    const { url, session, folder } = await begin({ '1_fill': ['-- plinth: batch=10\nupdate items set n = n + 1;', ''] })
    const child = applyInChild({ url, folder, killAt: { type: 'progress', count: batches + 1 } })
    expect(await child.ended).toBeNull()
    await waitUntil(
      async () =>
        (await one<string>(
          session,
          '(select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())',
        )) === '0',
    )
    expect(await one(session, '(select sum(n) from items)')).toBe(String(Math.min(batches * 10, 105)))
    const heard = listener()
    expect(await applyTrack(session, { ...someone, folder, emit: heard.emit })).toMatchObject({ status: 'succeeded' })
    // The last batch counts the statement as well, so that nothing is left to tell.
    expect(heard.of('progress')[0]?.done).toBe(batches === 11 ? undefined : batches * 10)
    expect(await one(session, "(select count(*) || ' ' || min(n) || ' ' || max(n) from items)")).toBe('105 1 1')
  })
})

async function waitUntil(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 10))
}

/** A dropped column comes back in batches behind its step, while others read and write the table. */
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { readStatus } from '../../src/migrations/status.ts'
import { listArchives, purgeArchives, restoreArchive } from '../../src/migrations/preserve/shelf.ts'
import type { Fact } from '../../src/telemetry/event.ts'
import { applyTrack, readPlan, rollbackTrack, type TrackOptions } from '../../src/migrations/track.ts'
import { asUser, withClient } from '../support/database.ts'
import { story } from './preserve-story.ts'
import { type Files, folderOf, openSession, someone } from './support.ts'

const batches = '-- plinth: restore=batches batch=50\n'

const notes = (size = 500, down = `${batches}alter table t add column note text;`) =>
  ({
    '1_base': [
      `create table t (id int primary key, n int default 0, note text);
insert into t select g, 0, 'note ' || g from generate_series(1, ${size}) g;`,
      'drop table t;',
    ],
    '2_drop': ['alter table t drop column note;', down],
  }) as const

test('every value comes back, and the proof is in the report', async () => {
  const { rows, up, down, copies } = await story(notes())
  await up()
  const report = await down()
  const [restored] = report.done[0]?.preserved?.restored ?? []
  expect(restored).toMatchObject({ restored: 500, kept: 0, defaulted: 0, orphaned: 0, unmatched: 0 })
  expect(restored?.after).toEqual(restored?.before)
  expect(await rows('select count(*)::int from t where note = $$note $$ || id')).toEqual([{ count: 500 }])
  expect(await copies()).toBe(0)
  expect(await rows("select from pg_trigger where tgname like '~plinth%'")).toEqual([])
  expect(
    await rows("select from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname = 'plinth_archive'"),
  ).toEqual([])
})

/** Stops a rollback after its first batch, as a crash would. */
async function stopped({ down }: Awaited<ReturnType<typeof story>>) {
  const stop = new AbortController()
  await expect(down({ emit: stopping(stop), signal: stop.signal })).rejects.toMatchObject({ code: 'INTERRUPTED' })
}

function stopping(stop: AbortController) {
  return (event: Fact) => {
    if (event.type === 'progress' && event.task.startsWith('restore')) stop.abort()
  }
}

test('what others write while it is under way wins, and the next run goes on behind the last batch', async () => {
  const files = notes()
  const told = await story(files)
  const { session, sql, rows, up, down } = told
  await up()
  await stopped(told)
  const folder = await folderOf(files)
  const status = await readStatus(session, { track: 'operational', folder })
  expect(status.versions.find(one => one.version === '2')).toMatchObject({ state: 'interrupted', cursor: 1 })
  await expect(up()).rejects.toMatchObject({ code: 'STEP_INTERRUPTED' })
  expect(await rows('select note from t where id in (1, 400) order by id')).toEqual([
    { note: 'note 1' },
    { note: null },
  ])
  await sql(`
    update t set note = 'mine' where id = 400;
    update t set note = 'mine' where id = 401;
    update t set note = null where id = 401;
    update t set note = 'mine' where id = 1;
    update t set n = 1 where id = 402;
    delete from t where id = 403;
    delete from t where id = 404;
    insert into t values (404, 0, 'anew');
    delete from t where id = 405;
    insert into t (id) values (405);
    insert into t values (406, 9, 'lost') on conflict (id) do update set n = 9;
    insert into t values (407, 9, 'lost') on conflict do nothing;
    update t set id = 1408 where id = 408;
    update t set id = 2 + 1000 where id = 2;
    update t set id = id + 2000, note = 'moved' where id = 409;
    update t set note = note where id = 410;
    insert into t values (5000, 0, 'new');
  `)
  const report = await down()
  expect(report.done[0]?.preserved?.restored[0]).toMatchObject({ orphaned: 0, unmatched: 0 })
  const found = (await rows('select id, note, n from t')) as { id: number; note: string | null; n: number }[]
  const note = new Map(found.map(row => [row.id, row.note]))
  expect([400, 401, 1, 402, 404, 405, 406, 407, 1408, 1002, 2409, 410, 5000].map(id => [id, note.get(id)])).toEqual([
    [400, 'mine'],
    [401, null],
    [1, 'mine'],
    [402, 'note 402'],
    [404, 'anew'],
    [405, null],
    [406, 'note 406'],
    [407, 'note 407'],
    [1408, 'note 408'],
    [1002, 'note 2'],
    [2409, 'moved'],
    [410, 'note 410'],
    [5000, 'new'],
  ])
  expect([403, 408, 409, 2].filter(id => note.has(id))).toEqual([])
  for (const { id, note: value } of found) if (id < 400 && id > 2) expect(value).toBe(`note ${id}`)
})

test('writers beside all of it', async () => {
  const told = await story(notes(3000, '-- plinth: restore=batches batch=40\nalter table t add column note text;'))
  const { url, rows, up, down } = told
  await up()
  const written = new Map<number, string | null>()
  const state = { running: true }
  const work = async (number: number) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    for (let turn = 0; state.running; turn++) {
      const id = 1 + ((turn * 4 + number) % 3000)
      const value = turn % 5 === 0 ? null : `${number}/${turn}`
      if (turn % 3 === 0) {
        await client.query('update t set n = n + 1 where id = $1', [id])
        continue
      }
      // While the column is gone there is nothing to write.
      const done = await client.query('update t set note = $2 where id = $1', [id, value]).catch(() => null)
      if (done === null) continue
      if (value !== null) written.set(id, value)
      else {
        // Null over null changes nothing, so it is no wish; over a value it is.
        const { rows: now } = await client.query("update t set note = 'x' where id = $1 returning id", [id])
        if (now.length > 0) written.set(id, 'x')
      }
    }
    await client.end()
  }
  const all = Promise.all([0, 1, 2, 3].map(work))
  try {
    await down()
  } finally {
    state.running = false
    await all
  }
  const found = (await rows('select id, note from t')) as { id: number; note: string | null }[]
  expect(found).toHaveLength(3000)
  for (const { id, note } of found) expect([id, note]).toEqual([id, written.has(id) ? written.get(id) : `note ${id}`])
})

test('an up that stopped on its way is taken back, and nothing of it is lost', async () => {
  const told = await story({
    '1_base': ['create table t (id int primary key);\ninsert into t select generate_series(1, 300);', 'drop table t;'],
    '2_add': [`${batches}alter table t add column mark text;`, 'alter table t drop column mark;'],
  })
  const { sql, rows, up, down } = told
  await up()
  await sql("update t set mark = 'm' || id")
  await down()
  await stopped({ ...told, down: options => up(undefined, options) })
  await sql("update t set mark = 'late' where id = 299")
  await down()
  await up()
  expect(await rows("select count(*)::int from t where mark = 'm' || id")).toEqual([{ count: 299 }])
  expect(await rows('select mark from t where id = 299')).toEqual([{ mark: 'late' }])
})

test('rows that are gone and values that are refused stay in the archive, one by one', async () => {
  const { session, sql, rows, up, down } = await story(
    notes(400, `${batches}alter table t add column note text check (note <> 'note 77');`),
  )
  await up()
  await sql('delete from t where id in (5, 300); insert into t (id) values (900)')
  const report = await down()
  expect(report.done[0]?.preserved?.restored).toMatchObject([
    {
      restored: 397,
      orphaned: 2,
      unmatched: 1,
      defaulted: 1,
      keys: { orphaned: ['(5)', '(300)'], unmatched: ['(77)'] },
    },
  ])
  expect(await rows('select id from t where note is null order by id')).toEqual([{ id: 77 }, { id: 900 }])
  const [archive] = await listArchives(session)
  expect(archive).toMatchObject({ status: 'leftover', objects: [{ rows: 3 }] })
  await sql('insert into t (id) values (5); alter table t drop constraint t_note_check')
  await restoreArchive(session, archive?.id ?? '', { actor: 'somebody', now: () => new Date().toISOString() })
  expect(await rows('select note from t where id in (5, 77) order by id')).toEqual([
    { note: 'note 5' },
    { note: 'note 77' },
  ])
})

test('several columns, a key of several columns, and partitions', async () => {
  const { sql, rows, up, down, ...told } = await story({
    '1_base': [
      `create table t (region text, id int, a text, b int, primary key (region, id)) partition by list (region);
create table t_eu partition of t for values in ('eu');
create table t_us partition of t for values in ('us');
insert into t select case g % 2 when 0 then 'eu' else 'us' end, g, 'a' || g, g from generate_series(1, 300) g;`,
      'drop table t;',
    ],
    '2_drop': [
      'alter table t drop column a, drop column b;',
      `${batches}alter table t add column b int, add column a text;`,
    ],
  })
  await up()
  await stopped({ ...told, sql, rows, up, down })
  await sql(`
    update t set a = 'mine' where id = 299;
    update t set region = 'eu' where id = 297;
    update t set region = 'us', b = 0 where id = 298`)
  await down()
  expect(await rows('select region, a, b from t where id in (297, 298, 299) order by id')).toEqual([
    { region: 'eu', a: 'a297', b: 297 },
    { region: 'us', a: 'a298', b: 0 },
    { region: 'us', a: 'mine', b: 299 },
  ])
  expect(await rows("select count(*)::int from t where a = 'a' || id and b = id")).toEqual([{ count: 298 }])
})

test('a step that runs statement by statement, and triggers of users that see nothing', async () => {
  const { rows, up, down } = await story({
    '1_base': [
      `create table t (id int primary key, note text, seen int default 0);
insert into t select g, 'note ' || g from generate_series(1, 200) g;
create function look() returns trigger language plpgsql as $$ begin new.seen := new.seen + 1; return new; end $$;
create trigger look before update on t for each row execute function look();`,
      'drop table t;\ndrop function look();',
    ],
    '2_drop': [
      'alter table t drop column note;',
      `${batches}alter table t add column note text;\ncreate index concurrently t_note on t (note);`,
    ],
  })
  await up()
  await down()
  expect(await rows('select count(*)::int, sum(seen)::int from t where note = $$note $$ || id')).toEqual([
    { count: 200, sum: 0 },
  ])
})

test.each([
  ['not null without a default', 'alter table t add column note text not null;', /not null/],
  ['unique', 'alter table t add column note text unique;', /constraint/],
  ['beside a trigger that also replicas fire', 'alter table t add column note text;', /triggers or rules/],
])('a column that comes back %s does so with its step, or not in batches', async (title, statement, why) => {
  const files = notes(100, `${batches}${statement}`)
  const { sql, rows, up, down } = await story(files)
  await up()
  if (title.startsWith('beside')) {
    await sql(`create function f() returns trigger language plpgsql as $$ begin return new; end $$;
      create trigger f before update on t for each row execute function f();
      alter table t enable always trigger f`)
  }
  await expect(down()).rejects.toMatchObject({ code: 'RESTORE_REFUSED', message: expect.stringMatching(why) })
  expect(await rows("select from pg_attribute where attrelid = 't'::regclass and attname = 'note'")).toEqual([])
})

test('a large table comes back in batches by itself, and in one piece where the file says so', async () => {
  const progress = async (head: string) => {
    const { sql, rows, up, down } = await story(notes(0, `${head}alter table t add column note text;`))
    await up('1')
    await sql("insert into t select g, 0, repeat('x', 300) || g from generate_series(1, 60000) g")
    await up()
    let told = 0
    await down({ emit: (event: Fact) => (told += event.type === 'progress' ? 1 : 0) })
    expect(await rows("select count(*)::int from t where note = repeat('x', 300) || id")).toEqual([{ count: 60_000 }])
    return told
  }
  expect(await progress('')).toBeGreaterThan(1)
  expect(await progress('-- plinth: restore=together\n')).toBe(0)
})

test('a plan says how the values come back, and why not in batches', async () => {
  const notices = async (files: Files) => {
    const { session, up } = await story(files)
    await up()
    const target = { kind: 'steps', count: 1 } as const
    const { plan } = (
      await readPlan(session, { track: 'operational', folder: await folderOf(files), direction: 'down', target })
    ).planned
    return plan.notices
  }
  expect(await notices(notes(20))).toEqual([expect.stringMatching(/note of public.t come back in batches.*default/)])
  const unique = `${batches}alter table t add column note text unique;`
  expect(await notices(notes(20, unique))).toEqual([expect.stringMatching(/in one piece.*a unique/)])
  expect(await notices(notes(20, 'alter table t add column note text;'))).toEqual([])
})

test('a role that owns its tables and no more brings back in batches, and others write meanwhile by their own rights', async () => {
  const { url, sql, rows } = await story({})
  const name = new URL(url).pathname.slice(1)
  const [owner, writer] = [`owner_${name}`, `writer_${name}`]
  await sql(
    `create role ${owner} login; create role ${writer} login;
    grant create on database ${name} to ${owner}; grant all on schema public to ${owner}`,
  )
  try {
    const folder = await folderOf(notes(200))
    const session = await openSession(asUser(url, owner))
    const run = { ...someone, folder }
    const steps = { kind: 'steps', count: 1 } as const
    expect((await applyTrack(session, run)).error).toBeNull()
    const back = async (options: Partial<TrackOptions> = {}) =>
      rollbackTrack(session, { ...run, target: steps, ...options })
    await sql('alter table t enable row level security, force row level security')
    expect((await back()).error?.message).toMatch(/row security/)
    await sql(`alter table t disable row level security, no force row level security;
      grant select, insert, update, delete on t to ${writer};
      create function f() returns trigger language plpgsql as $$ begin return new; end $$;
      create trigger f before update on t for each row execute function f()`)
    expect((await back()).error?.message).toMatch(/triggers or rules/)
    await sql('drop trigger f on t; drop function f()')
    const stop = new AbortController()
    expect((await back({ emit: stopping(stop), signal: stop.signal })).error?.code).toBe('INTERRUPTED')
    await withClient(asUser(url, writer), client =>
      client.query(
        "update t set note = 'mine' where id = 150; delete from t where id = 151; insert into t values (900)",
      ),
    )
    expect((await back()).error).toBeNull()
    expect(await rows('select count(*)::int from t where note = $$note $$ || id')).toEqual([{ count: 198 }])
    expect(await rows('select id, note from t where id in (150, 151, 900) order by id')).toEqual([
      { id: 150, note: 'mine' },
      { id: 900, note: null },
    ])
    await session.close()
  } finally {
    await sql(`drop owned by ${owner}, ${writer} cascade; drop role ${owner}, ${writer}`)
  }
})

test('an archive whose values are on their way back is left alone', async () => {
  const told = await story(notes())
  const { session, rows, up, down } = told
  await up()
  await stopped(told)
  const [archive] = await listArchives(session)
  const id = archive?.id ?? ''
  const someone = { actor: 'somebody' }
  await expect(restoreArchive(session, id, { ...someone, now: () => '' })).rejects.toMatchObject({
    code: 'ARCHIVE_NEEDED',
  })
  await expect(
    purgeArchives(session, { ...someone, version: '2', olderThanDays: 0, now: () => Date.now() }),
  ).rejects.toMatchObject({ code: 'ARCHIVE_NEEDED' })
  await down()
  expect(await rows('select count(*)::int from t where note = $$note $$ || id')).toEqual([{ count: 500 }])
})

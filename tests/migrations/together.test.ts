/** The first migrations of an empty database share transactions; what they make, and what is told of them, is as if each had its own. */
import { expect, test } from 'vitest'
import { readHistory } from '../../src/migrations/history.ts'
import type { Hooks } from '../../src/migrations/hooks/hooks.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { story } from './preserve-story.ts'
import { type Files, folderOf, listener, openSession, someone } from './support.ts'

/** Called between steps, so that each runs by itself. */
const watching: Hooks = { before: async () => undefined, after: async () => [] }

const history: Files = {
  '1_people': [
    'create table people (id int generated always as identity primary key, name text not null);',
    'drop table people;',
  ],
  '2_ada': ["insert into people (name) values ('ada'), ('grace');", 'delete from people;'],
  '3_kind': [
    "create type kind as enum ('cat');\nalter table people add column pet kind;",
    'alter table people drop column pet; drop type kind;',
  ],
  '4_index': ['create index people_name_idx on people (name); -- the last word', 'drop index people_name_idx;'],
  '5_pets': [
    'create table pet (id int primary key, person int references people (id));\ninsert into pet (id) values (1);',
    'drop table pet;',
  ],
}

test('many share one transaction, and the history tells of each', async () => {
  const session = await openSession((await emptyDatabase()).url)
  const told = listener()
  const report = await applyTrack(session, { ...someone, folder: await folderOf(history), emit: told.emit })
  expect(report).toMatchObject({ status: 'succeeded', current: '5', failed: null })
  expect(report.done.map(({ version, rows }) => [version, rows])).toEqual([
    ['1', 0],
    ['2', 2],
    ['3', 0],
    ['4', 0],
    ['5', 1],
  ])
  expect(await transactions(session)).toBe(1)
  expect(told.of('step.started').map(({ version }) => version)).toEqual(['1', '2', '3', '4', '5'])
  expect(told.of('step.finished').map(({ version, rows }) => [version, rows])).toEqual([
    ['1', 0],
    ['2', 2],
    ['3', 0],
    ['4', 0],
    ['5', 1],
  ])
  expect(told.of('statement.finished').map(({ version, line }) => `${version}:${line}`)).toEqual([
    '1:1',
    '2:1',
    '3:1',
    '3:2',
    '4:1',
    '5:1',
    '5:2',
  ])
})

test('database and history are those of steps that ran one at a time', async () => {
  const folder = await folderOf(history)
  const [shared, apart] = await Promise.all([emptyDatabase(), emptyDatabase()])
  const [one, other] = await Promise.all([openSession(shared.url), openSession(apart.url)])
  await applyTrack(one, { ...someone, folder })
  await applyTrack(other, { ...someone, folder, hooks: watching })
  expect([await transactions(one), await transactions(other)]).toEqual([1, 5])
  expect(await one.introspect()).toEqual(await other.introspect())
  const columns = `version, slug, status, mode, attempt_number, up_checksum, down_checksum, up_sql, down_sql, statements_total, statements_done,
    rows_changed, tables_touched::text, loss_class, preserved::text`
  const rows = `select ${columns} from plinth.migration_attempts order by attempt_number`
  expect((await one.query(rows)).rows).toEqual((await other.query(rows)).rows)
})

test.each([
  {
    title: 'a step that fails',
    files: {
      '1_a': 'create table a ();',
      '2_b': 'create table b ();',
      '3_a': 'select 1;\ncreate table a ();',
      '4_c': 'create table c ();',
    },
    code: 'SQL_FAILED',
    at: { line: 2 },
    stands: ['1', '2'],
  },
  {
    title: 'a constraint that only a later step would satisfy',
    files: {
      '1_a':
        'create table a (id int primary key); create table b (a int references a (id) deferrable initially deferred);',
      '2_b': 'insert into b values (1);',
      '3_c': 'insert into a values (1);',
    },
    code: 'SQL_FAILED',
    at: {},
    stands: ['1'],
  },
])('$title stops the run where it would by itself', async ({ files, at, stands }) => {
  const session = await openSession((await emptyDatabase()).url)
  const told = listener()
  const report = await applyTrack(session, { ...someone, folder: await folderOfUps(files), emit: told.emit })
  expect(report).toMatchObject({ status: 'failed', current: stands.at(-1), error: { at } })
  expect(
    (await readHistory(session, someone.track)).filter(({ applied }) => applied).map(({ version }) => version),
  ).toEqual(stands)
  expect(told.of('step.failed').map(({ version }) => version)).toEqual([String(stands.length + 1)])
  expect(told.of('step.finished').map(({ version }) => version)).toEqual(stands)
})

test.each([
  {
    title: 'a value of an enum that was just added',
    first: "create type kind as enum ('a'); create table t (k kind);",
    second: "alter type kind add value 'b';",
    last: "insert into t values ('b');",
  },
  {
    title: 'constraints that are deferred for a while',
    first: 'create table t (id int primary key, up int references t (id) deferrable);',
    second: 'create table u ();',
    last: 'set constraints all deferred; insert into t values (1, 2); insert into t values (2, null);',
  },
  {
    title: 'an isolation level of its own',
    first: 'create table t (id int);',
    second: 'create table u ();',
    last: 'set transaction isolation level serializable; insert into t values (1);',
  },
  {
    title: 'a temporary table of the same name',
    first: 'create table t (id int);',
    second: 'create temporary table x (a int);',
    last: 'create temporary table x (b text); insert into t values (1);',
  },
  {
    title: 'a cursor and a statement of the same name',
    first: 'create table t (id int);',
    second: 'prepare p as select 1; declare c cursor for select 1;',
    last: 'prepare p as select 2; declare c cursor for select 2; insert into t values (1);',
  },
])('$title works as in a transaction of its own', async ({ first, second, last }) => {
  const session = await openSession((await emptyDatabase()).url)
  const folder = await folderOfUps({ '1_a': first, '2_b': second, '3_c': last })
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
    status: 'succeeded',
    current: '3',
    error: null,
  })
  expect((await session.query('select count(*)::int > 0 as filled from t')).rows).toEqual([{ filled: true }])
})

test('no setting of one file reaches the next', async () => {
  const session = await openSession((await emptyDatabase()).url)
  const folder = await folderOfUps({
    '1_settings':
      "create schema other; set search_path = other; set local datestyle = 'SQL, DMY'; set role pg_read_all_data;",
    '2_look':
      "create table looked as select current_setting('search_path') as path, current_setting('datestyle') as style, current_user::text as me, current_setting('lock_timeout') as patience;",
  })
  const before = await session.query("select current_setting('datestyle') as style, current_user::text as me")
  await applyTrack(session, { ...someone, folder })
  expect(await transactions(session)).toBe(1)
  expect((await session.query('select path, style, me, patience from public.looked')).rows).toEqual([
    { path: '"$user", public', ...before.rows[0], patience: '3s' },
  ])
})

test.each([
  { title: 'two, where there is a table already', before: 'create table mine (id int)', own: '', count: 2 },
  {
    title: 'two, for steps with limits of their own',
    before: 'select 1',
    own: '-- plinth: lock-timeout=1s\n',
    count: 2,
  },
  { title: 'one, beside what an extension brings', before: 'create extension pg_buffercache', own: '', count: 1 },
])('two steps take transactions: $title', async ({ before, own, count }) => {
  const session = await openSession((await emptyDatabase()).url)
  await session.query(before)
  const folder = await folderOfUps({ '1_a': `${own}create table a ();`, '2_b': `${own}create table b ();` })
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
  expect(await transactions(session)).toBe(count)
})

const people = {
  '1_people': 'create table people (id int primary key, name text);',
  '2_index': 'create index on people (name);',
}

test.each([
  { title: 'an update', step: 'update people set name = upper(name) where name is not null;', count: 1 },
  {
    title: 'a delete beside new columns',
    step: 'alter table people add column age int; delete from people where age < 0;',
    count: 1,
  },
  {
    title: 'an update that calls code',
    step: 'create function f() returns text language sql as $$select 1::text$$; update people set name = made from (select f() as made) x;',
    count: 3,
  },
  { title: 'a column that goes', step: 'alter table people drop column name; update people set id = 1;', count: 3 },
])('$title of a table without rows shares where nothing of it can matter', async ({ step, count }) => {
  const session = await openSession((await emptyDatabase()).url)
  const folder = await folderOfUps({ ...people, '3_step': step, '4_more': 'create table more ();' })
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '4' })
  expect(await transactions(session)).toBe(count)
})

test.each([
  {
    title: 'rows that the step before made',
    before: "insert into people values (1, 'ada');",
    look: 'select name from people',
  },
  {
    title: 'what a trigger does for each statement',
    before: `create table log (id int primary key, n int); create function note() returns trigger language plpgsql as 'begin update log set n = n + 1; return null; end';
create trigger note after update on people for each statement execute function note();`,
    look: 'select n from log',
  },
])('an update keeps $title, and its rollback brings it back', async ({ before, look }) => {
  const fill = 'insert into log values (1, 7);'
  const { rows, up, down } = await story({
    '1_people': [people['1_people'], 'drop table people;'],
    '2_before': [before, 'select 1;'],
    ...(look.includes('log') ? { '3_fill': [fill, 'select 1;'] as const } : {}),
    '4_update': ["update people set name = 'gone';", 'select 1;'],
  })
  await up()
  const changed = await rows(look)
  await down()
  const kept = await rows(look)
  expect([kept, changed]).toEqual(
    look.includes('log') ? [[{ n: 7 }], [{ n: 8 }]] : [[{ name: 'ada' }], [{ name: 'gone' }]],
  )
})

/** Files that are never taken back. */
function folderOfUps(files: Files): Promise<string> {
  return folderOf(Object.fromEntries(Object.entries(files).map(([name, up]) => [name, [String(up), 'select 1;']])))
}

async function transactions(session: Awaited<ReturnType<typeof openSession>>): Promise<number> {
  const { rows } = await session.query<{ count: number }>(
    'select count(distinct xmin::text)::int as count from plinth.migration_attempts',
  )
  return rows[0]?.count ?? 0
}

/** A step that is about rows alone is watched by the server's counters; what they tell beyond its words is learned, and kept. */
import { expect, test } from 'vitest'
import { openSession } from './support.ts'
import { story } from './preserve-story.ts'

const tables = `create table t (id int primary key, v int not null);
create table other (id int primary key, n int not null);`

const byCode: readonly { readonly title: string; readonly body: string; readonly down?: string }[] = [
  { title: 'updates', body: 'update other set n = 0;' },
  { title: 'deletes', body: 'delete from other;' },
  { title: 'truncates', body: 'truncate other;' },
  { title: 'drops', body: 'drop table other;', down: 'create table other (id int primary key, n int not null);' },
  {
    title: 'gives another column in place of',
    body: 'alter table other drop column n; alter table other add column n int not null default 0;',
    down: 'alter table other drop column n; alter table other add column n int not null default 0;',
  },
]

test.each(byCode)('what a trigger of the updated table $title is kept', async ({ body, down: undo = 'select 1;' }) => {
  const { sql, rows, up, down } = await story({
    '1_base': [
      `${tables}
create function wreck() returns trigger language plpgsql as $$ begin ${body} return null; end $$;
create trigger wreck after update on t for each statement execute function wreck();`,
      'select 1;',
    ],
    '2_step': ['update t set v = v + 1;', `alter table t disable trigger wreck; update t set v = v - 1; ${undo}`],
  })
  await up('1')
  await sql('insert into t values (1, 10), (2, 20); insert into other values (7, 70), (8, 80)')
  const report = await up('2')
  expect(report.done[0]?.preserved?.archiveId ?? null).not.toBeNull()
  expect(await rows('select id, v from t order by id')).toEqual([
    { id: 1, v: 11 },
    { id: 2, v: 21 },
  ])
  await down()
  expect(await rows('select id, n from other order by id')).toEqual([
    { id: 7, n: 70 },
    { id: 8, n: 80 },
  ])
  expect(await rows('select id, v from t order by id')).toEqual([
    { id: 1, v: 10 },
    { id: 2, v: 20 },
  ])
})

test('what a deferred trigger does at the end is a part of the step', async () => {
  const { sql, rows, up, down } = await story({
    '1_base': [
      `${tables}
create function later() returns trigger language plpgsql as $$ begin update other set n = n + 1000; return null; end $$;
create constraint trigger later after insert or update on t deferrable initially deferred for each row execute function later();`,
      'select 1;',
    ],
    '2_step': ['update t set v = v + 1;', 'alter table t disable trigger later; update t set v = v - 1;'],
  })
  await up('1')
  await sql('insert into other values (7, 70); insert into t values (1, 10)')
  await sql('update other set n = 70')
  await up('2')
  expect(await rows('select n from other')).toEqual([{ n: 1070 }])
  await down()
  expect(await rows('select n from other')).toEqual([{ n: 70 }])
})

test('a row that somebody else adds to an empty table before the step has it is kept', async () => {
  const { url, rows, up, down } = await story({
    '1_base': ['create table t (id int primary key, v int not null);', 'select 1;'],
    '2_step': ['update t set v = 0;', 'select 1;'],
  })
  await up('1')
  const other = await openSession(url)
  await other.query('begin')
  await other.query('insert into t values (1, 10)')
  const applying = up('2')
  const waits = `select from pg_locks where not granted and relation = 't'::regclass
    and database = (select oid from pg_database where datname = current_database())`
  await expect.poll(async () => (await other.query(waits)).rowCount).toBe(1)
  await other.query('commit')
  const report = await applying
  expect(report.done[0]?.preserved?.archiveId ?? null).not.toBeNull()
  expect(await rows('select v from t')).toEqual([{ v: 0 }])
  await down()
  expect(await rows('select v from t')).toEqual([{ v: 10 }])
})

test('a step keeps nothing of what the step before it changed', async () => {
  const { sql, rows, up } = await story({
    '1_base': [tables, 'select 1;'],
    '2_one': ['update t set v = v + 1;', 'select 1;'],
    '3_other': ['update other set n = n + 1;', 'select 1;'],
    '4_empty': ['create table none (id int primary key);', 'drop table none;'],
    '5_nothing': ['update none set id = id + 1;', 'select 1;'],
  })
  await up('1')
  await sql('insert into t values (1, 10); insert into other values (7, 70)')
  const report = await up()
  expect(report.done.map(step => step.preserved?.archiveId !== undefined && step.preserved.archiveId !== null)).toEqual(
    [true, true, false, false],
  )
  expect(
    await rows(
      `select a.version, o.source, o.rows_kept::int as kept
      from plinth.archives a join plinth.archive_objects o on o.archive_id = a.id order by 1, 2`,
    ),
  ).toEqual([
    { version: '2', source: 'public.t', kept: 1 },
    { version: '3', source: 'public.other', kept: 1 },
  ])
})

test('a role that the file takes does not stand in the way of looking after its rows', async () => {
  const { sql, rows, up, down } = await story({
    '1_base': [`${tables}\ngrant select, update on t to pg_monitor;`, 'revoke all on t from pg_monitor;'],
    '2_step': ['set role pg_monitor; update t set v = v + 1;', 'update t set v = v - 1;'],
  })
  await up('1')
  await sql('insert into t values (1, 10)')
  await up('2')
  await sql('update t set v = 50')
  await down()
  expect(await rows('select v from t')).toEqual([{ v: 49 }])
})

/** A step of plain inserts is not watched, unless the table runs code when a row is added. */
import { expect, test } from 'vitest'
import { story } from './preserve-story.ts'

const counting = `create table total (id int primary key, n int);
create function bump(v int default 1) returns int language plpgsql as 'begin update total set n = n + 1; return v; end';`

const tables: readonly { readonly title: string; readonly base: string; readonly up?: string }[] = [
  { title: 'a default', base: 'create table t (id int primary key, v int default bump());' },
  { title: 'a check', base: 'create table t (id int primary key check (bump(id) > 0));' },
  {
    title: 'a domain',
    base: 'create domain counted as int check (bump(value) > 0); create table t (id counted primary key);',
  },
  {
    title: 'a rule',
    base: 'create table t (id int primary key); create rule also as on insert to t do also update total set n = n + 1;',
  },
  {
    title: 'a partition',
    base: `create table t (id int primary key) partition by range (id); create table t1 partition of t default;
create function bumped() returns trigger language plpgsql as 'begin perform bump(); return null; end';
create trigger bumped after insert on t1 for each row execute function bumped();`,
  },
  {
    title: 'a function in the values',
    base: 'create table t (id int primary key);',
    up: 'insert into t (id) values (bump(2));',
  },
  {
    title: 'a trigger that the step makes itself',
    base: 'create table t (id int primary key);',
    up: `create function bumped() returns trigger language plpgsql as 'begin perform bump(); return null; end';
create trigger bumped after insert on t for each row execute function bumped();
insert into t (id) values (2);`,
  },
  {
    title: 'another table of the same name',
    base: `create table t (id int primary key); create schema other; create table other.t (id int primary key, v int default bump());`,
    up: 'set search_path = other, public; insert into t (id) values (2);',
  },
]

test.each(tables)('what $title changes is kept', async ({ base, up = 'insert into t (id) values (2);' }) => {
  const {
    sql,
    rows,
    up: apply,
    down,
  } = await story({ '1_base': [`${counting}\n${base}`, 'select 1;'], '2_step': [up, 'select 1;'] })
  await apply('1')
  await sql('insert into total values (1, 40)')
  const report = await apply('2')
  expect(await rows('select n > 40 as more from total')).toEqual([{ more: true }])
  expect(report.done[0]?.preserved?.archiveId ?? null).not.toBeNull()
  await down()
  expect(await rows('select n from total')).toEqual([{ n: 40 }])
})

test.each(tables)('what $title changes is kept where the whole history is applied at once', async step => {
  const { base, up = 'insert into t (id) values (2);' } = step
  const {
    rows,
    up: apply,
    down,
  } = await story({
    '1_counting': [counting, 'select 1;'],
    '2_base': [base, 'select 1;'],
    '3_total': ['insert into total values (1, 40);', 'select 1;'],
    '4_step': [up, 'select 1;'],
  })
  await apply()
  expect(await rows('select n > 40 as more from total')).toEqual([{ more: true }])
  await down()
  expect(await rows('select n from total')).toEqual([{ n: 40 }])
})

test('rows that users changed come back with the insert that made them', async () => {
  const { sql, rows, up, down } = await story({
    '1_base': ['create table t (id int primary key, name text not null, v int default 7);', 'drop table t;'],
    '2_rows': [
      "insert into t (id, name) values (1, 'ada'), (2, 'grace');",
      "delete from t where name in ('ada', 'grace');",
    ],
  })
  const first = await up()
  expect(first.done[1]?.preserved?.archiveId ?? null).toBeNull()
  await sql("update t set v = 1000 where name = 'grace'")
  await down()
  expect(await rows('select * from t')).toEqual([])
  await up()
  expect(await rows('select name, v from t order by v')).toEqual([
    { name: 'ada', v: 7 },
    { name: 'grace', v: 1000 },
  ])
})

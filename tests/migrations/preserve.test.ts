/** What a step destroys comes back with its opposite: before → after apply → after rollback → after reapply, with users writing in between. */
import { expect, test } from 'vitest'
import { story } from './preserve-story.ts'

const people = [
  'create table people (id int primary key, name text not null, age int default 18);\n',
  'drop table people;\n',
] as const

test('a table that a rollback drops comes back with its rows when it is applied again', async () => {
  const { sql, rows, up, down, copies } = await story({ '1_people': people })
  await up()
  await sql("insert into people values (1, 'Ada', 36), (2, 'Bo', null)")
  const taken = await down()
  expect(taken.done[0]?.preserved?.archiveId).toBeTypeOf('string')
  expect(await rows("select to_regclass('people') as gone")).toEqual([{ gone: null }])
  expect(await copies()).toBe(1)
  const again = await up()
  expect(await rows('select * from people order by id')).toEqual([
    { id: 1, name: 'Ada', age: 36 },
    { id: 2, name: 'Bo', age: null },
  ])
  expect(again.done[0]?.preserved?.restored).toMatchObject([{ kind: 'table', restored: 2, orphaned: 0, unmatched: 0 }])
  expect(await copies()).toBe(0)
})

test('a dropped column comes back by key; rows written in between have its default', async () => {
  const { sql, rows, up, down, copies } = await story({
    '1_people': people,
    '2_age': ['alter table people drop column age;', 'alter table people add column age int default 18;'],
  })
  await up('1')
  await sql("insert into people select n, 'p' || n, n from generate_series(1, 100) n")
  await sql('update people set age = null where id = 7')
  await up()
  expect(await copies()).toBe(1)
  await sql(
    "insert into people values (101, 'new'); delete from people where id = 100; update people set name = 'x' where id = 1",
  )
  const taken = await down()
  expect(await rows('select count(*)::int n, sum(age)::int sum, count(age)::int known from people')).toEqual([
    { n: 100, sum: 4950 - 7 + 18, known: 99 },
  ])
  expect(taken.done[0]?.preserved?.restored).toMatchObject([
    { kind: 'column', restored: 99, defaulted: 1, orphaned: 1, keys: { orphaned: ['(100)'] } },
  ])
  expect(taken.done[0]?.lossClass).toBe('lossless-with-policy')
})

test('rows that are deleted, updated and truncated come back as they were', async () => {
  const { sql, rows, up, down } = await story({
    '1_people': people,
    '2_purge': [
      "delete from people where id > 90; update people set name = upper(name) where id <= 10; insert into people values (500, 'seed', 1); update people set age = 2 where id = 500;",
      'delete from people where id = 500;',
    ],
    '3_empty': ['truncate people;', 'select 1;'],
  })
  await up('1')
  await sql("insert into people select n, 'p' || n, n from generate_series(1, 100) n")
  const before = await rows('select * from people order by id')
  await up()
  expect(await rows('select count(*)::int n from people')).toEqual([{ n: 0 }])
  await sql("insert into people values (1000, 'late', 1)")
  await down()
  expect(await rows('select count(*)::int n from people')).toEqual([{ n: 92 }])
  await sql("update people set name = 'mine' where id = 5")
  const taken = await down()
  const changed = before.map(row => ((row as { id: number }).id === 5 ? { id: 5, name: 'mine', age: 5 } : row))
  expect(await rows('select * from people where id <> 1000 order by id')).toEqual(changed)
  expect(taken.done[0]?.preserved?.restored).toMatchObject([
    { kind: 'rows', restored: 19, kept: 1, keys: { kept: ['(5)'] } },
  ])
  await up('2')
  expect(await rows("select count(*)::int n, count(*) filter (where name = 'seed')::int seeds from people")).toEqual([
    { n: 91, seeds: 1 },
  ])
})

test('a large table gets its column back by being written anew, whatever was written in between', async () => {
  const { sql, rows, up, down } = await story({
    '1_base': [
      'create table t (a int, b text, v text collate "C", w int default 5, primary key (b, a));\n',
      'select 1;',
    ],
    '2_drop': [
      'alter table t drop column v, drop column w;',
      'alter table t add column v text collate "C", add column w int default 5;',
    ],
  })
  await up('1')
  await sql(
    "insert into t select g, 'b' || g, case when g % 7 > 0 then 'v' || g end, g from generate_series(1, 60000) g",
  )
  await up('2')
  await sql(`delete from t where a between 100 and 160 or a % 1000 = 0;
update t set b = b where a % 500 = 3;
insert into t select g, 'new' || g from generate_series(1, 50) g`)
  const file = await rows("select relfilenode from pg_class where relname = 't'")
  const back = await down()
  expect(await rows("select relfilenode from pg_class where relname = 't'")).not.toEqual(file)
  expect(back.done[0]?.preserved?.restored).toMatchObject([
    { restored: 59_879, orphaned: 121, defaulted: 50, unmatched: 0 },
  ])
  expect(
    await rows(`select count(*) filter (where b like 'b%' and w = a and v is not distinct from case when a % 7 > 0 then 'v' || a end)::int as old,
      count(*) filter (where b like 'new%' and w = 5 and v is null)::int as new, count(*)::int as n from t`),
  ).toEqual([{ old: 59_879, new: 50, n: 59_929 }])
})

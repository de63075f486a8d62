/** Several versions go back at once and come again, twice, with users writing in between. */
import { expect, test } from 'vitest'
import { digestTables } from '../../src/migrations/preserve/sample.ts'
import { listArchives } from '../../src/migrations/preserve/shelf.ts'
import { story } from './preserve-story.ts'

const files = {
  '1_base': ['create table users (id int primary key, name text, plan text);', 'drop table users;'],
  '2_orders': [
    `create table orders (id int generated always as identity primary key, user_id int references users, cents int);
alter table users add column email text;`,
    'alter table users drop column email; drop table orders;',
  ],
  '3_rename': ['alter table users rename to accounts;', 'alter table accounts rename to users;'],
  '4_plan': [
    "alter table accounts drop column plan; update accounts set name = upper(name) where id > 5; insert into accounts values (0, 'seed', 'e0');",
    'delete from accounts where id = 0; alter table accounts add column plan text;',
  ],
  '5_gone': [
    'drop table orders;',
    'create table orders (id int generated always as identity primary key, user_id int references accounts, cents int);',
  ],
} as const

test('everything that users wrote is there after all versions went back and came again, twice', async () => {
  const { session, sql, rows, up, down, copies } = await story(files)
  await up('1')
  await sql("insert into users select g, 'n' || g, 'p' || g from generate_series(1, 10) g")
  await up('2')
  await sql(
    "insert into orders (user_id, cents) select 1 + g % 10, g from generate_series(1, 30) g; update users set email = 'e' || id where id < 8",
  )
  await up()
  await sql("insert into accounts values (-1, 'late', 'e11'); update accounts set name = 'mine' where id = 3")
  const before = await digestTables(session)
  for (const round of [1, 2]) {
    await down({ target: { kind: 'version', version: '0' } })
    expect([round, await rows("select to_regclass('users') as gone")]).toEqual([round, [{ gone: null }]])
    await up()
    expect([round, await digestTables(session)]).toEqual([round, before])
    await down({ target: { kind: 'version', version: '1' } })
    expect(await rows('select count(*)::int as n, count(plan)::int as plans from users')).toEqual([
      { n: 11, plans: 10 },
    ])
    await up()
    expect([round, await digestTables(session)]).toEqual([round, before])
  }
  const archives = await listArchives(session)
  const waiting = archives.filter(archive => archive.status === 'kept')
  expect(waiting.map(archive => `${archive.version} ${archive.direction}`)).toEqual(['4 up', '5 up'])
  expect(await copies()).toBe(archives.flatMap(archive => archive.objects.filter(one => one.copy !== null)).length)
})

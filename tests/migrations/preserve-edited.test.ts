/** A rollback, an edited up, and an apply: what the archive keeps of the old up never overwrites what the new one computes, and is not lost. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listArchives, restoreArchive } from '../../src/migrations/preserve/shelf.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { type Files, folderOf, openSession, someone, writeFiles } from './support.ts'

const base = ['create table t (id int primary key, v int);', 'drop table t;'] as const

test('rows that another up computes stay as it computed them; those of the old up are told as orphaned', async () => {
  const { sql, rows, up, down, edit, archives } = await edited({
    '1_base': base,
    '2_raise': ['update t set v = v * 2;', 'update t set v = v / 2;'],
  })
  await up('1')
  await sql('insert into t values (1, 70), (2, 80)')
  await up()
  await sql('update t set v = 160 where id = 1')
  await down()
  const before = await rows('select v from t order by id')
  await edit({ '2_raise': ['update t set v = v * 3;', 'update t set v = v / 3;'] })
  const again = await up()
  expect(await rows('select v from t order by id')).toEqual(before.map(row => ({ v: (row as { v: number }).v * 3 })))
  expect(again.done[0]?.preserved?.restored).toMatchObject([{ kind: 'rows', restored: 0, orphaned: 2 }])
  expect((await archives()).map(archive => archive.status)).toEqual(['leftover', 'leftover', 'kept'])
})

test('a column that another up computes keeps what it computed, and the old values wait in the archive', async () => {
  const { sql, rows, up, down, edit, archives, session } = await edited({
    '1_base': base,
    '2_total': ['alter table t add total int; update t set total = v * 2;', 'alter table t drop total;'],
  })
  await up('1')
  await sql('insert into t values (1, 70), (2, 80)')
  await up()
  await sql('update t set total = 7 where id = 2')
  await down()
  await edit({ '2_total': ['alter table t add total int; update t set total = v * 3;', 'alter table t drop total;'] })
  const again = await up()
  expect(again.done[0]?.preserved?.restored).toMatchObject([{ kind: 'column', restored: 0, orphaned: 2 }])
  expect(await rows('select id, total from t order by id')).toEqual([
    { id: 1, total: 210 },
    { id: 2, total: 240 },
  ])
  const [left] = (await archives()).filter(archive => archive.status === 'leftover')
  expect(left?.objects).toMatchObject([{ kind: 'column', rows: 2 }])
  await restoreArchive(session, left?.id ?? '', { actor: 'tester', now: () => '2026-11-23T00:00:00Z' })
  expect(await rows('select id, total from t order by id')).toEqual([
    { id: 1, total: 140 },
    { id: 2, total: 7 },
  ])
})

test('a column or table that a corrected up only makes gets its rows back; keys that it took itself keep its rows', async () => {
  const { sql, rows, up, down, edit, archives } = await edited({
    '1_base': base,
    '2_more': [
      "alter table t add note text; create table kinds (id int primary key, name text); insert into kinds values (1, 'old')",
      'drop table kinds; alter table t drop note;',
    ],
    '3_age': ['alter table t add age int;', 'alter table t drop age;'],
  })
  await up()
  await sql("insert into t values (1, 70, 'mine', 36); insert into kinds values (2, 'user')")
  await down()
  await down()
  await edit({
    '2_more': [
      "alter table t add note text; create table kinds (id int primary key, name text not null); insert into kinds values (1, 'new')",
      'drop table kinds; alter table t drop note;',
    ],
    '3_age': ['alter table t add age bigint;', 'alter table t drop age;'],
  })
  const again = await up()
  expect(await rows('select id, age::int from t')).toEqual([{ id: 1, age: 36 }])
  expect(await rows('select * from kinds order by id')).toEqual([
    { id: 1, name: 'new' },
    { id: 2, name: 'user' },
  ])
  expect(again.done.map(step => step.preserved?.restored)).toMatchObject([
    [
      { kind: 'table', restored: 1, orphaned: 1, keys: { orphaned: ['(1)'] } },
      { kind: 'column', restored: 0, orphaned: 1 },
    ],
    [{ kind: 'column', restored: 1, orphaned: 0 }],
  ])
  expect((await archives()).map(archive => archive.status)).toEqual(['restored', 'leftover'])
})

test('another migration under the same number gets nothing of the old one', async () => {
  const { sql, rows, up, down, folder, archives } = await edited({
    '1_base': base,
    '2_people': ['create table people (id int primary key, name text);', 'drop table people;'],
  })
  await up()
  await sql("insert into people values (1, 'Ada')")
  await down()
  for (const way of ['up', 'down']) await rm(join(folder, `2_people.${way}.sql`))
  await writeFiles(folder, {
    '2_staff': ['create table people (id int primary key, name text);', 'drop table people;'],
  })
  const again = await up()
  expect(await rows('select * from people')).toEqual([])
  expect(again.done[0]?.preserved?.restored).toMatchObject([{ kind: 'table', restored: 0, orphaned: 1 }])
  expect(await archives()).toMatchObject([{ status: 'leftover', slug: 'people' }])
})

test('other line endings, and another down, are no other up', async () => {
  const { sql, rows, up, down, edit } = await edited({
    '1_base': base,
    '2_people': ['create table people (id int primary key,\n  name text);\n', 'drop table people;'],
  })
  await up()
  await sql("insert into people values (1, 'Ada'); insert into t values (1, 2)")
  await down()
  await edit({ '2_people': ['create table people (id int primary key,\r\n  name text);\r\n', 'drop table people; --'] })
  await up()
  expect(await rows('select * from people')).toEqual([{ id: 1, name: 'Ada' }])
})

test('a corrected down still brings back what was there before the up', async () => {
  const { sql, rows, up, down, edit } = await edited({
    '1_base': base,
    '2_raise': ['update t set v = v * 2;', 'select 1;'],
  })
  await up('1')
  await sql('insert into t values (1, 70), (2, 80)')
  await up()
  await edit({ '2_raise': ['update t set v = v * 2;', 'update t set v = v / 2;'] })
  await down()
  expect(await rows('select v from t order by id')).toEqual([{ v: 70 }, { v: 80 }])
})

async function edited(files: Files) {
  const folder = await folderOf(files)
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const run = { ...someone, folder }
  return {
    folder,
    session,
    sql: (text: string) => session.script(text),
    rows: async (text: string) => (await session.query(text)).rows,
    edit: (changed: Files) => writeFiles(folder, changed),
    archives: () => listArchives(session),
    up: async (version?: string) => {
      const target = version === undefined ? {} : { target: { kind: 'version', version } as const }
      const report = await applyTrack(session, { ...run, ...target })
      if (report.error) throw report.error
      return report
    },
    down: async () => {
      const report = await rollbackTrack(session, { ...run, target: { kind: 'steps', count: 1 } })
      if (report.error) throw report.error
      return report
    },
  }
}

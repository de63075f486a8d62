import { describe, expect, test } from 'vitest'
import { applyTrack } from '../../src/migrations/track.ts'
import { readAttempts } from '../../src/migrations/history.ts'
import { emptyDatabase } from '../support/database.ts'
import { folderOf, listener, openSession, someone, tableNames } from './support.ts'

async function applyOne(up: string | Uint8Array) {
  const session = await openSession((await emptyDatabase()).url)
  const events = listener()
  const folder = await folderOf({ '1_a.up.sql': up, '1_a.down.sql': '' })
  const report = await applyTrack(session, { ...someone, folder, emit: events.emit })
  return { session, report, events }
}

describe('the place of an error is that of the file', () => {
  test('behind a byte order mark, CRLF and letters of several bytes', async () => {
    const { report } = await applyOne(
      Buffer.from(
        "\ufeff-- Größe 表 🎉\r\ncreate table t (x text);\r\ninsert into t values ('🎉'); select nothing_like_it from t;\r\n",
      ),
    )
    const place = report.error?.at
    expect(place).toMatchObject({ line: 3, column: 37 })
    const line = place?.source?.split('\n')[2] ?? ''
    expect(line.slice((place?.column ?? 0) - 1)).toMatch(/^nothing_like_it/)
  })

  test('without a position it is the statement that failed', async () => {
    const { report, session } = await applyOne(
      'create table t (id int primary key);\n\ninsert into t\n  values (1);\n  insert into t values (1);\n',
    )
    expect(report.error).toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      sqlState: '23505',
      at: { line: 5, column: 3 },
      details: { statement: 2 },
    })
    expect(await tableNames(session)).toEqual([])
  })

  test('a file of one line that fails at once, and one that wraps itself', async () => {
    expect((await applyOne('select nope')).report.error?.at).toMatchObject({ line: 1, column: 8 })
    expect((await applyOne('begin;\n  select nope;\ncommit;')).report.error?.at).toMatchObject({ line: 2, column: 10 })
  })

  test('a deferred constraint that fails at the end is an error of the file, not a lost commit', async () => {
    const { report, session } = await applyOne(
      'create table parent (id int primary key);\ncreate table child (id int references parent deferrable initially deferred);\ninsert into child values (1);',
    )
    expect(report).toMatchObject({ status: 'failed', error: { code: 'CONSTRAINT_VIOLATED', sqlState: '23503' } })
    expect(await tableNames(session)).toEqual([])
  })

  test('in a statement-wise file', async () => {
    const { report } = await applyOne(
      "create table t (x text);\n-- 表🎉\ncreate index concurrently i on t (x);\n  select '表🎉', nope from t;",
    )
    expect(report.error?.at).toMatchObject({ line: 4 })
    expect(report.error?.at?.source?.split('\n')[3]?.slice((report.error.at?.column ?? 0) - 1)).toMatch(/^nope/)
  })

  test('a comment without a line break at the end hides nothing of ours', async () => {
    const { report, session } = await applyOne('create table t (id int) -- the end')
    expect(report).toMatchObject({ status: 'succeeded', done: [{ statements: 1 }] })
    expect(await readAttempts(session, someone.track, { limit: 5 })).toMatchObject([
      { status: 'applied', tables: ['t'] },
    ])
  })

  test('each statement is told with line and rows, and no literal', async () => {
    const { events } = await applyOne(
      "create table t (x text);\ninsert into t values ('hunter2'), ('b');\nupdate t set x = 'hunter2';\nselect * from t;",
    )
    expect(events.of('statement.finished').map(one => [one.index, one.line, one.summary, one.rows])).toEqual([
      [0, 1, 'create table t', 0],
      [1, 2, 'insert into t', 2],
      [2, 3, 'update t', 2],
      [3, 4, 'select', 0],
    ])
    expect(events.of('step.finished')).toMatchObject([{ rows: 4, tables: ['t'], statements: 4 }])
  })
})

describe('what a file sets does not reach the next one', () => {
  test('settings, role, session authorization, listens and cursors', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url, { settings: { search_path: 'pg_catalog, public' } })
    const folder = await folderOf({
      '1_a': [
        "create schema other; set search_path = other; set role pg_monitor; set timezone = 'Asia/Tokyo'; set bytea_output = 'escape';",
        'drop schema other',
      ],
      '2_b': [
        "select set_config('search_path', '', false); set session authorization pg_monitor; declare c cursor with hold for select 1; listen x;",
        '',
      ],
      '3_c': [
        "create table public.probe as select current_user::text as who, current_setting('search_path') as path, current_setting('timezone') as zone, current_setting('lock_timeout') as lock;",
        'drop table public.probe',
      ],
    })
    const report = await applyTrack(session, { ...someone, folder, lockTimeoutMs: 1234 })
    expect(report.error).toBeNull()
    const before = await openSession(url)
    const { rows: self } = await before.query<{ who: string }>('select current_user::text as who')
    const { rows } = await session.query('select who, path, zone, lock from public.probe')
    expect(rows).toEqual([{ who: self[0]?.who, path: 'pg_catalog, public', zone: 'UTC', lock: '1234ms' }])
    expect((await session.query("select name from pg_cursors where name <> ''")).rows).toEqual([])
    const { rows: bytes } = await session.query(
      "select '\\x00ff'::bytea as raw, current_setting('lock_timeout') as lock",
    )
    expect(bytes).toEqual([{ raw: Uint8Array.from([0, 255]), lock: '0' }])
  })
})

import { beforeAll, describe, expect, test } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { applyInChild, ensureBuilt } from './child.ts'
import { type Files, folderOf, openSession, someone, writeFiles } from './support.ts'

beforeAll(ensureBuilt)

/** Names that need quotes, since what the parser read must be found again in the catalog. */
const tables = `create schema "Odd.Schema";
create table "Odd.Schema"."T ""t" (x int);
create index "I.i" on "Odd.Schema"."T ""t" (x);
create table "Odd.Schema".parent (x int) partition by range (x);
create table "Odd.Schema"."P.p" partition of "Odd.Schema".parent for values from (0) to (9);`

const bare = {
  'create index concurrently': 'create index concurrently "N.n" on "Odd.Schema"."T ""t" (x)',
  'an index that the server names': 'create index concurrently on "Odd.Schema"."T ""t" (x)',
  'drop index concurrently': 'drop index concurrently "Odd.Schema"."I.i"',
  'reindex index concurrently': 'reindex index concurrently "Odd.Schema"."I.i"',
  'reindex table concurrently': 'reindex table concurrently "Odd.Schema"."T ""t"',
  'detach partition concurrently': 'alter table "Odd.Schema".parent detach partition "Odd.Schema"."P.p" concurrently',
  vacuum: 'vacuum "Odd.Schema"."T ""t"',
} as const

describe.each(Object.entries(bare))('%s', (_, statement) => {
  const files = filesWith(statement)

  test('done and not counted when the process died: the next apply goes on', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf(files)
    const child = applyInChild({ url, folder, killAt: { type: 'statement.finished', count: 6 } })
    expect(await child.ended).toBeNull()
    await expectWhole(url, folder)
  })
})

// A vacuum waits for nobody who only writes.
describe.each(Object.entries(bare).filter(([name]) => name !== 'vacuum'))('%s', (_, statement) => {
  test.each(['in the middle', 'at its end'])(
    'killed while it waits, and stopped %s: the next apply cleans up',
    async end => {
      const { url } = await emptyDatabase()
      const folder = await folderOf(filesWith(statement))
      const session = await openSession(url)
      await applyTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
      await withClient(url, async blocker => {
        // Whoever uses both tables and does not end is waited for by everything that works concurrently.
        await blocker.query(
          'begin; insert into "Odd.Schema"."T ""t" values (1); insert into "Odd.Schema".parent values (1)',
        )
        const child = applyInChild({ url, folder })
        await until(session, `${childBackend} and wait_event_type = 'Lock'`)
        child.process.kill('SIGKILL')
        await child.ended
        // The server stops what has no client any more within seconds; else it goes on when the way is free.
        if (end === 'in the middle') await until(session, `select 1 where not exists (${childBackend})`)
        await blocker.query('rollback')
      })
      await expectWhole(url, folder)
    },
  )
})

const childBackend =
  "select 1 from pg_stat_activity where application_name = 'plinth test child' and datname = current_database()"

test('an index whose name the server chooses, left invalid by a failure, does not stay behind', async () => {
  const session = await openSession((await emptyDatabase()).url)
  const folder = await folderOf({
    '1_a': ['create unique index concurrently on t (x);', 'drop index concurrently t_x_idx;'],
  })
  await session.query('create table t (x int)')
  await session.query('insert into t values (1), (1)')
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
    status: 'failed',
    error: { sqlState: '23505' },
  })
  await session.query('truncate t')
  expect(await applyTrack(session, { ...someone, folder, retryFailed: true })).toMatchObject({ status: 'succeeded' })
  const { rows } = await session.query(
    'select indexrelid::regclass::text as name, indisvalid as valid from pg_index where indrelid = $1::regclass',
    ['t'],
  )
  expect(rows).toEqual([{ name: 't_x_idx', valid: true }])
})

test('what lacked a right is not held against the file: once it is granted, the next run applies it', async () => {
  const { url } = await emptyDatabase()
  const owner = await openSession(url)
  const role = `poor_${Date.now()}_${process.pid}`
  await owner.script(
    `create role ${role} login; grant create on database "${new URL(url).pathname.slice(1)}" to ${role}`,
  )
  try {
    const session = await openSession(Object.assign(new URL(url), { username: role }).toString())
    const folder = await folderOf({ '1_t': ['create table public.t (x int);', 'drop table public.t;'] })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'failed',
      error: { code: 'PERMISSION_DENIED' },
    })
    await owner.script(`grant create on schema public to ${role}`)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
  } finally {
    await owner.script(`drop owned by ${role} cascade; drop role ${role}`)
  }
})

test('a statement that was edited after the crash is another one, whatever its index is called', async () => {
  const { url } = await emptyDatabase()
  const folder = await folderOf({
    '1_t': ['create table t (x int, y int);', 'drop table t;'],
    '2_i': ['create index concurrently i on t (x);', 'drop index concurrently i;'],
  })
  expect(await applyInChild({ url, folder, killAt: { type: 'statement.finished', count: 2 } }).ended).toBeNull()
  await writeFiles(folder, { '2_i.up.sql': 'create index concurrently i on t (y);' })
  const session = await openSession(url)
  const report = await applyTrack(session, { ...someone, folder })
  expect(report).toMatchObject({ status: 'failed', error: { sqlState: '42P07' } })
})

test('a database that was made and not counted is not made again', async () => {
  const { url, name } = await emptyDatabase()
  const made = `${name}_made`
  const folder = await folderOf({
    '1_database': [`create database ${made};\ncreate table t (id int);`, `drop table t;\ndrop database ${made};`],
  })
  try {
    // The way back drops a database, which nobody can undo, so that is accepted by name.
    const preserve = { acceptLoss: ['1'] }
    const killAt = { type: 'statement.finished', count: 1 } as const
    expect(await applyInChild({ url, folder, preserve, killAt }).ended).toBeNull()
    expect((await applyTrack(await openSession(url), { ...someone, folder, preserve })).error).toBeNull()
  } finally {
    await withClient(url, client => client.query(`drop database if exists ${made}`))
  }
})

function filesWith(statement: string): Files {
  return {
    '1_tables': [tables, 'drop schema "Odd.Schema" cascade;'],
    '2_bare': [`${statement};\ncreate table "Odd.Schema".done (id int);`, ''],
  }
}

async function expectWhole(url: string, folder: string): Promise<void> {
  const session = await openSession(url)
  const report = await applyTrack(session, { ...someone, folder })
  expect(report.error).toBeNull()
  expect(report.current).toBe('2')
  const clean = await openSession((await emptyDatabase()).url)
  await applyTrack(clean, { ...someone, folder })
  expect(await session.introspect()).toEqual(await clean.introspect())
  expect(
    (await session.query('select indexrelid::regclass::text as name from pg_index where not indisvalid')).rows,
  ).toEqual([])
}

async function until(session: Session, query: string): Promise<void> {
  while ((await session.query(query)).rows.length === 0) await new Promise(resolve => setTimeout(resolve, 20))
}

import { beforeAll, describe, expect, test } from 'vitest'
import { diffSchemas } from '../../src/schema/diff.ts'
import type { Session } from '../../src/engines/engine.ts'
import { readAttempts, readHistory } from '../../src/migrations/history.ts'
import { readStatus } from '../../src/migrations/status.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import type { FactType } from '../../src/telemetry/event.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { applyInChild, ensureBuilt } from './child.ts'
import {
  duckDatabase,
  failureOf,
  type Files,
  folderOf,
  listener,
  openSession,
  someone,
  tableNames,
  writeFiles,
} from './support.ts'

beforeAll(ensureBuilt)

/** Transactional, statement-wise with a block of its own and an index built concurrently, transactional again. */
const mixed: Files = {
  '1_tables': [
    'create table t (id int, x text);\ninsert into t select n, md5(n::text) from generate_series(1, 500) n;',
    'drop table t;',
  ],
  '2_index': [
    [
      'set search_path = public;',
      'create index concurrently t_x on t (x);',
      'begin;',
      'create table u (id int);',
      'insert into u select n from generate_series(1, 5) n;',
      'commit;',
      'create index concurrently on t (id);',
      'insert into u values (6);',
      'drop index concurrently t_x;',
      'create unique index concurrently if not exists t_id on t (id);',
    ].join('\n'),
    'drop index concurrently t_id;\nbegin;\ndrop table u;\ncommit;\ndrop index concurrently t_id_idx;',
  ],
  '3_more': ['create table v (id int);\ninsert into v values (1);', 'drop table v;'],
}

async function contents(session: Session): Promise<unknown> {
  const { rows } = await session.query(
    'select (select count(*) from t) as t, (select count(*) from u) as u, (select sum(id) from u) as u_sum, (select count(*) from v) as v, (select count(*) from pg_index where not indisvalid) as invalid',
  )
  return rows[0]
}

const whole = { t: '500', u: '6', u_sum: '21', v: '1', invalid: '0' }

describe('killed with -9 at every fact, the next apply completes by itself', () => {
  const points: [FactType, number][] = [
    ['lock.acquired', 1],
    ['lock.acquired', 2],
    ...[1, 2, 3].flatMap((count): [FactType, number][] => [
      ['step.started', count],
      ['step.finished', count],
    ]),
    ...Array.from({ length: 12 }, (_, at): [FactType, number] => ['statement.finished', at + 1]),
  ]

  test.each(points)('at %s %i', async (type, count) => {
    const { url } = await emptyDatabase()
    const folder = await folderOf(mixed)
    const child = applyInChild({ url, folder, killAt: { type, count } })
    expect(await child.ended).toBeNull()
    expect(child.process.signalCode).toBe('SIGKILL')

    const session = await openSession(url)
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.error).toBeNull()
    expect(report).toMatchObject({ current: '3', failed: null })
    expect(await contents(session)).toEqual(whole)

    const undisturbed = await openSession((await emptyDatabase()).url)
    await applyTrack(undisturbed, { ...someone, folder })
    expect(diffSchemas(await undisturbed.introspect(), await session.introspect())).toEqual([])
    expect((await readHistory(session, 'operational')).map(one => [one.state, one.unfinished])).toEqual([
      ['applied', null],
      ['applied', null],
      ['applied', null],
    ])
  })

  test.each(Array.from({ length: 5 }, (_, at) => at + 1))(
    'a rollback killed at its statement %i goes on where it stopped',
    async count => {
      const { url } = await emptyDatabase()
      const folder = await folderOf(mixed)
      const session = await openSession(url)
      await applyTrack(session, { ...someone, folder })
      const child = applyInChild({
        url,
        folder,
        direction: 'down',
        target: { kind: 'version', version: '0' },
        killAt: { type: 'statement.finished', count },
      })
      expect(await child.ended).toBeNull()
      const report = await rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } })
      expect(report.error).toBeNull()
      expect(report.current).toBeNull()
      expect(await tableNames(session)).toEqual([])
    },
  )

  test('a DuckDB file', async () => {
    const url = await duckDatabase()
    const folder = await folderOf({
      '1_a': ['create table a (id int);\ninsert into a values (1);\ninsert into a values (2);', 'drop table a;'],
      '2_b': ['create table b (id int);', 'drop table b;'],
    })
    for (const killAt of [
      { type: 'statement.finished', count: 2 },
      { type: 'step.finished', count: 1 },
    ] as const) {
      expect(await applyInChild({ url, folder, killAt }).ended).toBeNull()
    }
    const session = await openSession(url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'succeeded',
      current: '2',
      done: [{ version: '2' }],
    })
    expect((await session.query('select id from a order by id')).rows).toEqual([{ id: 1 }, { id: 2 }])
  })
})

describe('a statement-wise file that stopped', () => {
  const failing = [
    'create table u (id int);',
    'create index concurrently u_id on u (id);',
    'insert into u values (1);',
    'insert into u values (1 / 0);',
    'insert into u values (2);',
  ]

  test('fails with its cursor, is not repeated unasked, goes on when its rest was edited, refuses when its done part was', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': [failing.join('\n'), 'drop table u;'] })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({ status: 'failed', current: null, failed: { line: 4, sqlState: '22012' } })
    expect(await readStatus(session, { track: 'operational', folder })).toMatchObject({
      counts: { failed: 1 },
      versions: [{ cursor: 3 }],
    })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'STEP_FAILED_BEFORE',
      details: { cursor: 3 },
    })

    await writeFiles(folder, { '1_a.up.sql': failing.join('\n').replace('u_id', 'u_other').replace('1 / 0', '1') })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'STEP_INTERRUPTED',
      details: { cursor: 3 },
    })

    await writeFiles(folder, { '1_a.up.sql': failing.join('\n').replace('1 / 0', '10') })
    const events = listener()
    expect(await applyTrack(session, { ...someone, folder, emit: events.emit })).toMatchObject({
      status: 'succeeded',
      current: '1',
    })
    expect(events.of('step.resumed')).toMatchObject([{ version: '1', cursor: 3 }])
    expect((await session.query('select id from u order by id')).rows).toEqual([{ id: 1 }, { id: 2 }, { id: 10 }])
  })

  test('half of it can be rolled back', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': [failing.join('\n'), 'drop table u;'] })
    await applyTrack(session, { ...someone, folder })
    expect(
      await rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } }),
    ).toMatchObject({ status: 'succeeded', current: null })
    expect(await tableNames(session)).toEqual([])
    expect(await readStatus(session, { track: 'operational', folder })).toMatchObject({
      counts: { pending: 1, failed: 0 },
    })
  })

  test('an apply after an interrupted rollback asks to finish that first', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf(mixed)
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder })
    await applyInChild({
      url,
      folder,
      direction: 'down',
      target: { kind: 'steps', count: 2 },
      killAt: { type: 'statement.finished', count: 2 },
    }).ended
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'STEP_INTERRUPTED',
      hint: expect.stringContaining('rollback --steps 1'),
    })
    expect(await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })).toMatchObject({
      status: 'succeeded',
      current: '1',
    })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await contents(session)).toEqual(whole)
  })

  test('a role and a path that the file takes hold for its rest, and not for the history', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({
      '1_a': [
        'create schema s; grant all on schema s to pg_monitor;\nset role pg_monitor;\nset search_path = s;\ncreate table u (id int);\ncreate index concurrently u_id on u (id);\ncreate table w (id int);',
        'drop schema s cascade;',
      ],
      '2_b': ['create table public.own (id int);', 'drop table public.own;'],
    })
    expect((await applyTrack(session, { ...someone, folder })).error).toBeNull()
    const { rows } = await session.query(
      "select tablename as name, tableowner as owner from pg_tables where schemaname in ('s', 'public') order by 1",
    )
    expect(rows).toEqual([
      { name: 'own', owner: expect.not.stringMatching('pg_monitor') },
      { name: 'u', owner: 'pg_monitor' },
      { name: 'w', owner: 'pg_monitor' },
    ])
  })
})

describe('an index built concurrently', () => {
  test('that was left invalid is dropped and built again, although the file says "if not exists"', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderOf({
      '1_a': ['create table t (x int);', 'drop table t;'],
      '2_b': ['create unique index concurrently if not exists t_x on t (x);', 'drop index concurrently t_x;'],
    })
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    await session.query('insert into t values (1), (1)')
    const first = await applyTrack(session, { ...someone, folder })
    expect(first).toMatchObject({ status: 'failed', error: { sqlState: '23505' } })
    expect(
      (await session.query('select indisvalid as valid from pg_index where indexrelid = $1::regclass', ['t_x'])).rows,
    ).toEqual([{ valid: false }])

    await session.query('truncate t')
    const events = listener()
    const second = await applyTrack(session, { ...someone, folder, retryFailed: true, emit: events.emit })
    expect(second).toMatchObject({ status: 'succeeded', current: '2' })
    expect(events.of('index.rebuilt')).toMatchObject([{ version: '2', index: 'public.t_x' }])
    expect(
      (await session.query('select indisvalid as valid from pg_index where indexrelid = $1::regclass', ['t_x'])).rows,
    ).toEqual([{ valid: true }])
  })

  test('of the same name on another table is not touched', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({
      '1_a': ['create index concurrently t_x on t (x);', 'drop index concurrently t_x;'],
    })
    await session.query('create table t (x int)')
    await session.query('create table other (x int)')
    await session.query('create index t_x on other (x)')
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'failed',
      error: { sqlState: '42P07' },
    })
    expect(
      (await session.query("select indrelid::regclass::text as name from pg_index where indexrelid = 't_x'::regclass"))
        .rows,
    ).toEqual([{ name: 'other' }])
  })

  test('killed while it waits: the next apply rebuilds it', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({
      '1_a': ['create table t (x int);', 'drop table t;'],
      '2_b': ['create index concurrently t_x on t (x);', 'drop index concurrently t_x;'],
    })
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    await withClient(url, async blocker => {
      await blocker.query('begin; insert into t values (1)')
      const child = applyInChild({ url, folder })
      await until(session, "select 1 from pg_stat_progress_create_index where phase like 'waiting%'")
      child.process.kill('SIGKILL')
      await child.ended
      await until(
        session,
        "select 1 where not exists (select from pg_stat_activity where application_name = 'plinth test child' and datname = current_database())",
      )
      await blocker.query('commit')
    })
    const events = listener()
    const report = await applyTrack(session, { ...someone, folder, emit: events.emit })
    expect(report).toMatchObject({ status: 'succeeded', current: '2' })
    expect(events.of('index.rebuilt')).toMatchObject([{ index: 'public.t_x' }])
    expect(
      (await session.query("select indisvalid as valid from pg_index where indexrelid = 't_x'::regclass")).rows,
    ).toEqual([{ valid: true }])
  })
})

test('SIGINT cancels the statement, rolls back, and the history says so', async () => {
  const { url } = await emptyDatabase()
  const folder = await folderOf({
    '1_a': ['create table a (id int);', 'drop table a;'],
    '2_b': ['create table b (id int);\nselect pg_sleep(600);', 'drop table b;'],
  })
  const session = await openSession(url)
  const child = applyInChild({ url, folder })
  await until(
    session,
    "select 1 from pg_stat_activity where application_name = 'plinth test child' and wait_event = 'PgSleep' and datname = current_database()",
  )
  child.process.kill('SIGINT')
  expect(await child.ended).toMatchObject({
    status: 'interrupted',
    current: '1',
    error: { code: 'INTERRUPTED' },
    failed: { version: '2' },
  })
  expect(await tableNames(session)).toEqual(['public.a'])
  expect(await readAttempts(session, 'operational', { limit: 1 })).toMatchObject([
    { version: '2', status: 'failed', errorCode: 'INTERRUPTED' },
  ])
  await writeFiles(folder, { '2_b.up.sql': 'create table b (id int);' })
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
})

/** Waits for a condition, not for a time: polls until the query answers a row. */
async function until(session: Session, query: string): Promise<void> {
  while ((await session.query(query)).rows.length === 0) await new Promise(resolve => setTimeout(resolve, 20))
}

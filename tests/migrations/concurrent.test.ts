import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { readAttempts } from '../../src/migrations/history.ts'
import { ensureLedger, ledgerVersion } from '../../src/migrations/ledger.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { silent } from '../../src/telemetry/event.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { folderOf, listener, openSession, someone, tableNames } from './support.ts'

const many = Object.fromEntries(
  Array.from({ length: 6 }, (_, at) => [
    `${at + 1}_t${at}`,
    [`create table t${at} (id int);\ncreate index t${at}_id on t${at} (id);`, `drop table t${at};`] as const,
  ]),
)

describe('runners at the same time', () => {
  test('two: one works, the other waits and then finds nothing to do', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({ '1_slow': ['create table t (id int);\nselect pg_sleep(0.3);', 'drop table t;'] })
    const sessions = await Promise.all([openSession(url), openSession(url)])
    const reports = await Promise.all(sessions.map(session => applyTrack(session, { ...someone, folder })))
    expect(reports.map(report => report.status).sort()).toEqual(['nothing-to-do', 'succeeded'])
    expect(reports.map(report => report.current)).toEqual(['1', '1'])
  })

  test('sixteen, on a database without a ledger: each version is applied exactly once', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf(many)
    const sessions = await Promise.all(Array.from({ length: 16 }, () => openSession(url)))
    const reports = await Promise.all(sessions.map(session => applyTrack(session, { ...someone, folder })))
    expect(reports.map(report => report.error)).toEqual(Array.from({ length: 16 }, () => null))
    expect(reports.flatMap(report => report.done.map(step => step.version)).sort()).toEqual([
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
    ])
    const attempts = await readAttempts(sessions[0] ?? (await openSession(url)), someone.track, { limit: 100 })
    expect(attempts.map(one => `${one.number} ${one.version} ${one.status}`).reverse()).toEqual(
      [1, 2, 3, 4, 5, 6].map(at => `${at} ${at} applied`),
    )
  })

  test('sixteen that make the ledger, all at once', async () => {
    const { url } = await emptyDatabase()
    const sessions = await Promise.all(Array.from({ length: 16 }, () => openSession(url)))
    await Promise.all(sessions.map(session => ensureLedger(session, { emit: silent, lockWaitMs: 30_000 })))
    const session = await openSession(url)
    expect((await session.query('select version from plinth.migration_ledger')).rows).toEqual([
      { version: ledgerVersion },
    ])
  })

  test('two tracks of one database do not wait for each other and do not mix', async () => {
    const { url } = await emptyDatabase()
    const [one, two] = [await openSession(url), await openSession(url)]
    const left = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
    const right = await folderOf({ '1_b': ['create table b (id int);', 'drop table b;'] })
    const reports = await Promise.all([
      applyTrack(one, { track: 'left', actor: 'x', folder: left }),
      applyTrack(two, { track: 'right', actor: 'x', folder: right }),
    ])
    expect(reports.map(report => report.status)).toEqual(['succeeded', 'succeeded'])
    expect(await tableNames(one)).toEqual(['public.a', 'public.b'])
  })

  test('a waiter does not deadlock with an index that is built concurrently', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({
      '1_t': ['create table t (id int);\ninsert into t select generate_series(1, 20000);', 'drop table t;'],
      ...Object.fromEntries(
        [2, 3, 4].map(at => [
          `${at}_i`,
          [`create index concurrently t_id_${at} on t (id);`, `drop index concurrently t_id_${at};`] as const,
        ]),
      ),
    })
    const sessions = await Promise.all(Array.from({ length: 4 }, () => openSession(url)))
    const reports = await Promise.all(sessions.map(session => applyTrack(session, { ...someone, folder })))
    expect(reports.map(report => report.error)).toEqual([null, null, null, null])
    expect(reports.flatMap(report => report.done.map(step => step.version)).sort()).toEqual(['1', '2', '3', '4'])
  })

  test('a lock that is held too long ends with LOCK_TIMEOUT and names the holder', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
    const holder = await openSession(url, { applicationName: 'the other runner' })
    expect(await holder.tryLock('plinth:operational')).toBe(true)
    const session = await openSession(url)
    await expect(applyTrack(session, { ...someone, folder, lockWaitMs: 100 })).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      exitStatus: 6,
      message: expect.stringContaining('the other runner'),
    })
    expect(await tableNames(session)).toEqual([])
  })

  test('an interrupted waiter ends as interrupted', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
    const holder = await openSession(url)
    await holder.tryLock('plinth:operational')
    const stop = new AbortController()
    const waiting = applyTrack(await openSession(url), { ...someone, folder, signal: stop.signal })
    const failed = expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED', exitStatus: 130 })
    await sleep(150)
    stop.abort()
    await failed
  })
})

describe('a table that somebody else has locked', () => {
  const folderWith = () =>
    folderOf({
      '1_t': ['create table t (id int);', 'drop table t;'],
      '2_x': [
        'create table before (id int);\nalter table t add column x int;',
        'alter table t drop column x;\ndrop table before;',
      ],
      '3_bare': ['vacuum t;\nalter table t add column y int;', 'alter table t drop column y;'],
    })

  test('is waited for politely, until the holder lets go', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderWith()
    await applyTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    const events = listener()
    await withClient(url, async blocker => {
      await blocker.query('begin; lock table t in access exclusive mode')
      const applying = applyTrack(session, { ...someone, folder, emit: events.emit, lockTimeoutMs: 50 })
      while (events.of('step.retried').length < 2) await sleep(20)
      // Between its tries the step holds nothing, so the holder's own work goes on.
      await blocker.query('insert into t values (1)')
      await blocker.query('commit')
      expect(await applying).toMatchObject({ status: 'succeeded', current: '3' })
    })
    expect(events.of('step.retried').map(one => [one.attempt, one.sqlState])).toEqual(
      expect.arrayContaining([
        [1, '55P03'],
        [2, '55P03'],
      ]),
    )
    expect((await readAttempts(session, someone.track, { limit: 10 })).map(one => one.status)).toEqual([
      'applied',
      'applied',
      'applied',
    ])
  })

  test('ends with LOCK_TIMEOUT when all tries are used, leaves nothing, and may be run again', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderWith()
    await applyTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    await withClient(url, async blocker => {
      await blocker.query('begin; lock table t in access exclusive mode')
      const report = await applyTrack(session, { ...someone, folder, lockTimeoutMs: 30, lockRetries: 1 })
      expect(report).toMatchObject({
        status: 'failed',
        current: '1',
        error: { code: 'LOCK_TIMEOUT', exitStatus: 6, at: { line: 2 } },
      })
      expect(await tableNames(session)).toEqual(['public.t'])
      await blocker.query('rollback')
    })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '3' })
  })

  test('a statement that takes too long is cancelled, and only that is said', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': ['create table a (id int);\nselect pg_sleep(600);', 'drop table a;'] })
    const report = await applyTrack(session, { ...someone, folder, statementTimeoutMs: 50 })
    expect(report).toMatchObject({
      status: 'failed',
      error: { code: 'STATEMENT_TIMEOUT', exitStatus: 6, at: { line: 2 } },
    })
    expect(await tableNames(session)).toEqual([])
  })

  test('a connection that is terminated leaves nothing, and the next apply completes', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderOf({
      '1_a': [
        'create table a (id int);\nselect pg_sleep(0.2);\nselect pg_terminate_backend(pg_backend_pid());',
        'drop table a;',
      ],
    })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'failed',
      error: { code: 'CONNECTION_LOST', exitStatus: 7 },
    })
    const other = await openSession(url)
    expect(await tableNames(other)).toEqual([])
    const mended = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
    expect(await applyTrack(other, { ...someone, folder: mended })).toMatchObject({ status: 'succeeded' })
    const { rows } = await other.query('select status from plinth.migration_runs order by started_at')
    expect(rows).toEqual([{ status: 'interrupted' }, { status: 'succeeded' }])
  })
})

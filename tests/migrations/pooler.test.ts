/** Behind a transaction pooler nothing rests on the session: the lock is a lease, and settings end with their transaction. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { withLock } from '../../src/engines/brackets.ts'
import { readAttempts } from '../../src/migrations/history.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { silent } from '../../src/telemetry/event.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { pooled, withoutPooler } from '../support/pgbouncer.ts'
import { failureOf, folderOf, listener, openSession, someone, tableNames } from './support.ts'

const story = withoutPooler === null ? 'behind a transaction pooler' : `skipped, ${withoutPooler}: behind a pooler`

describe.skipIf(withoutPooler !== null)(story, () => {
  test('a session sees the pooler, and one without a pooler does not', async () => {
    const { url } = await emptyDatabase()
    const through = await openSession(await pooled(url))
    expect(through).toMatchObject({ pooled: true, backendId: null })
    expect(await openSession(url)).toMatchObject({ pooled: false, backendId: expect.any(Number) })
    // Session mode keeps one server process a client, and has other process numbers all the same; a lease is right there too.
    expect((await openSession(await pooled(url, { mode: 'session' }))).pooled).toBe(true)
  })

  test('values arrive as without it, whichever server process answers', async () => {
    const { url, name } = await emptyDatabase()
    await withClient(url, client => client.query(`alter database ${name} set timezone to 'Asia/Kolkata'`))
    const session = await openSession(await pooled(url))
    for (let turn = 0; turn < 5; turn++) {
      const { rows } = await session.query(
        "select timestamptz '2026-01-31 12:00:00.5+00' as at, '\\x00ff'::bytea as bytes",
      )
      expect(rows).toEqual([{ at: '2026-01-31T12:00:00.500000Z', bytes: new Uint8Array([0, 255]) }])
    }
  })

  test('a look at the catalog is the same, and leaves nothing in a server process that others use next', async () => {
    const { url, name } = await emptyDatabase()
    await withClient(url, client =>
      client.query(`
        alter database ${name} set quote_all_identifiers to on;
        create schema app;
        alter database ${name} set search_path to app;
        create table app.t (id int primary key, n numeric check (n > 0));
        create view app.v as select n from app.t`),
    )
    const through = await openSession(await pooled(url, { size: 3 }))
    const direct = await (await openSession(url)).introspect()
    for (let turn = 0; turn < 4; turn++) expect(await through.introspect()).toEqual(direct)
    for (let turn = 0; turn < 4; turn++) {
      const { rows } = await through.query(
        "select current_setting('search_path') as path, current_setting('quote_all_identifiers') as quotes",
      )
      expect(rows).toEqual([{ path: 'app', quotes: 'on' }])
    }
  })

  test('a pooler that hands out server processes by the statement is told apart', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(await pooled(url, { mode: 'statement' }))
    const failure = await failureOf(session.query('begin'))
    expect(failure).toMatchObject({ code: 'DATABASE_URL_INVALID' })
    expect(failure.hint).toContain('pool_mode')
  })

  test('what the pooler does not take from a URL is said with the way out', async () => {
    const { url } = await emptyDatabase()
    const through = new URL(await pooled(url))
    through.searchParams.set('options', '-c search_path=shop')
    const failure = await failureOf(openSession(through.toString()))
    expect(failure).toMatchObject({ code: 'DATABASE_URL_INVALID', message: expect.stringContaining('options') })
    expect(failure.hint).toContain('ignore_startup_parameters')
  })

  test('who stands in the way is seen by the name of the run', async () => {
    const { url } = await emptyDatabase()
    await withClient(url, client => client.query('create table t (id int)'))
    const session = await openSession(await pooled(url), { applicationName: 'plinth:00-story' })
    const folder = await folderOf({ '1_x': ['alter table t add column x int;', 'alter table t drop column x;'] })
    const events = listener()
    await withClient(url, async holder => {
      await holder.query('begin; lock table t')
      const applying = applyTrack(session, { ...someone, folder, emit: events.emit })
      while (events.of('lock.blocked').length === 0) await sleep(20)
      await holder.query('rollback')
      expect(await applying).toMatchObject({ status: 'succeeded', done: [{ lockWaitMs: expect.any(Number) }] })
    })
    expect(events.of('lock.blocked')[0]?.blockers).toMatchObject([{ state: 'idle in transaction', object: 't' }])
  })

  test('sixteen runners on a database without a ledger: each version is applied exactly once', async () => {
    const { url } = await emptyDatabase()
    const through = await pooled(url)
    const folder = await folderOf(
      Object.fromEntries(
        [1, 2, 3, 4].map(at => [`${at}_t`, [`create table t${at} (id int);`, `drop table t${at};`] as const]),
      ),
    )
    const sessions = await Promise.all(Array.from({ length: 16 }, () => openSession(through)))
    const reports = await Promise.all(sessions.map(session => applyTrack(session, { ...someone, folder })))
    expect(reports.map(report => report.error)).toEqual(Array.from({ length: 16 }, () => null))
    expect(reports.flatMap(report => report.done.map(step => step.version)).sort()).toEqual(['1', '2', '3', '4'])
    const attempts = await readAttempts(await openSession(url), someone.track, { limit: 100 })
    expect(attempts.map(one => `${one.number} ${one.status}`)).toEqual([
      '4 applied',
      '3 applied',
      '2 applied',
      '1 applied',
    ])
  })

  test('a waiter does not deadlock with an index that is built concurrently', async () => {
    const { url } = await emptyDatabase()
    const through = await pooled(url)
    const folder = await folderOf({
      '1_t': ['create table t (id int);\ninsert into t select generate_series(1, 20000);', 'drop table t;'],
      ...Object.fromEntries(
        [2, 3, 4].map(at => [
          `${at}_i`,
          [`create index concurrently t_id_${at} on t (id);`, `drop index concurrently t_id_${at};`] as const,
        ]),
      ),
    })
    const sessions = await Promise.all(Array.from({ length: 4 }, () => openSession(through)))
    const reports = await Promise.all(sessions.map(session => applyTrack(session, { ...someone, folder })))
    expect(reports.map(report => report.error)).toEqual([null, null, null, null])
    const back = await rollbackTrack(await openSession(through), {
      ...someone,
      folder,
      target: { kind: 'version', version: '0' },
    })
    expect(back).toMatchObject({ status: 'succeeded', current: null })
    expect(await tableNames(await openSession(url))).toEqual([])
  })

  test('what a file sets ends with it, and does not reach others who get the same server process', async () => {
    const { url } = await emptyDatabase()
    const through = await pooled(url, { size: 1 })
    const folder = await folderOf({
      '1_set': [
        "create schema shop;\nset search_path = shop;\nset statement_timeout = '7s';\ncreate table t (id int);\ncreate temporary table scratch (id int);",
        'drop schema shop cascade;',
      ],
      '2_wise': [
        'begin;\nset search_path = shop;\ninsert into t values (1);\ncommit;\ninsert into t values (2);',
        'truncate shop.t;',
      ],
    })
    await withClient(through, async other => {
      // What others keep on their server processes stays as it is.
      await other.query("set work_mem = '9MB'")
      expect(await applyTrack(await openSession(through), { ...someone, folder })).toMatchObject({ error: null })
      for (let turn = 0; turn < 6; turn++) {
        const { rows } = await other.query(
          "select current_setting('search_path') as path, current_setting('statement_timeout') as timeout, to_regclass('pg_temp.scratch') as scratch, current_setting('lock_timeout') as lock, current_setting('work_mem') as memory",
        )
        expect(rows).toEqual([{ path: '"$user", public', timeout: '0', scratch: null, lock: '0', memory: '9MB' }])
      }
    })
    const { rows } = await (await openSession(url)).query('select count(*) as n from shop.t')
    expect(rows).toEqual([{ n: '2' }])
  })

  test('statements that no transaction takes run, with the settings that the session has anyway', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({
      '1_t': [
        "create table t (id int primary key, kind text);\ninsert into t select g, 'a' from generate_series(1, 100) g;",
        'drop table t;',
      ],
      '2_bare': [
        'prepare one as select 1;\nexecute one;\ndeallocate one;\nvacuum t;\ncreate index concurrently t_kind on t (kind);\nreindex table concurrently t;',
        'drop index concurrently t_kind;',
      ],
    })
    const through = await pooled(url)
    expect(await applyTrack(await openSession(through), { ...someone, folder })).toMatchObject({
      error: null,
      current: '2',
    })
  })

  test('settings for a statement that no transaction takes are refused before anything is done', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({
      '1_path': ['set search_path = shop;\ncreate index concurrently t_id on t (id);', 'drop index t_id;'],
    })
    const report = await applyTrack(await openSession(await pooled(url)), { ...someone, folder })
    expect(report.error).toMatchObject({ code: 'SQL_UNSUPPORTED', at: { line: 1 } })
    expect(report.error?.message).toContain('pooler')
  })

  test('a statement is cancelled where it runs, and no other one', async () => {
    const { url } = await emptyDatabase()
    const through = await pooled(url)
    const folder = await folderOf({ '1_slow': ['create table t (id int);\nselect pg_sleep(600);', 'drop table t;'] })
    const stop = new AbortController()
    const bystander = (await openSession(through)).query('select pg_sleep(1.5)')
    const applying = applyTrack(await openSession(through), { ...someone, folder, signal: stop.signal })
    await sleep(700)
    stop.abort()
    expect(await applying).toMatchObject({ status: 'interrupted', error: { code: 'INTERRUPTED' } })
    expect((await bystander).rowCount).toBe(1)
    expect(await tableNames(await openSession(url))).toEqual([])
  })

  test('a statement that no transaction takes has its time limit as well', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({
      '1_t': ['create table t (id int);', 'drop table t;'],
      '2_index': ['create index concurrently t_id on t (id);', 'drop index concurrently t_id;'],
    })
    const session = await openSession(await pooled(url))
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    await withClient(url, async old => {
      // The build waits for every older transaction.
      await old.query('begin; insert into t values (1)')
      const report = await applyTrack(session, { ...someone, folder, statementTimeoutMs: 300 })
      expect(report.error).toMatchObject({ code: 'STATEMENT_TIMEOUT' })
      await old.query('rollback')
    })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
  })

  test('a runner on a direct connection and one behind the pooler exclude each other', async () => {
    const { url } = await emptyDatabase()
    const [direct, through] = [await openSession(url), await openSession(await pooled(url))]
    const events = listener()
    const wait = { waitMs: 150, emit: events.emit }
    await withLock(direct, 'story', { waitMs: 0, emit: silent }, async () => {
      const failure = await failureOf(withLock(through, 'story', wait, async () => undefined))
      expect(failure).toMatchObject({ code: 'LOCK_TIMEOUT' })
    })
    await withLock(through, 'story', { waitMs: 0, emit: silent, owner: { actor: 'anna', runId: 'r1' } }, async () => {
      const failure = await failureOf(withLock(direct, 'story', wait, async () => undefined))
      expect(failure).toMatchObject({ code: 'LOCK_TIMEOUT', message: expect.stringContaining('anna (process') })
    })
    await withLock(direct, 'story', wait, async () => undefined)
  })
})

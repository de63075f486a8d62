/** Who stands in a step's way, and in whose way it stands, seen from a second connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../src/engines/postgres/index.ts'
import type { Blocker } from '../../src/engines/engine.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { sentenceOf } from '../../src/telemetry/sinks/sentences.ts'
import { asUser, emptyDatabase, withClient } from '../support/database.ts'
import { folderOf, listener, openSession, someone } from './support.ts'

/** A connection of the application's, named, that outlives the statement which it is asked to run. */
async function application(url: string, name: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: name })
  client.on('error', () => undefined)
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

const table = { '1_t': ['create table t (id int, secret text);', 'drop table t;'] as const }

describe('a step that waits for a lock', () => {
  test('says who holds it, without a word of what he wrote, and how long it waited', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder: await folderOf(table) })
    const holder = await application(url, 'billing worker')
    await holder.query("begin; insert into t values (99471147, 'a customer')")
    const events = listener()
    const folder = await folderOf({
      ...table,
      '2_x': ['alter table t add column x int;', 'alter table t drop column x;'],
    })
    const applying = applyTrack(session, { ...someone, folder, emit: events.emit })
    while (events.of('lock.blocked').length === 0) await sleep(20)
    await sleep(300)
    await holder.query('commit')
    const report = await applying
    expect(report).toMatchObject({ status: 'succeeded' })
    const [blocked] = events.of('lock.blocked')
    expect(blocked).toMatchObject({
      track: 'operational',
      version: '2',
      direction: 'up',
      blockers: [
        {
          application: 'billing worker',
          user: 'postgres',
          state: 'idle in transaction',
          summary: 'begin; insert into t',
          mode: 'RowExclusiveLock',
          object: 't',
        },
      ],
    })
    expect(JSON.stringify(events.of('lock.blocked'))).not.toMatch(/99471147|a customer/)
    expect(report.done[0]?.lockWaitMs).toBeGreaterThanOrEqual(300)
    expect(events.of('step.finished')[0]).toMatchObject({ lockWaitMs: report.done[0]?.lockWaitMs })
    expect(sentenceOf({ ...blocked, at: '', runId: '', sequence: 0, schemaVersion: 1 } as never)?.text).toMatch(
      /^up 2 waits .* for a lock held by "billing worker" of postgres \(process \d+, idle in transaction since [\d:]+Z: begin; insert into t\) with RowExclusiveLock on t$/,
    )
  })

  test('names the holder when all tries are used, and what can be done', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder: await folderOf(table) })
    const holder = await application(url, 'nightly report')
    const { rows } = await holder
      .query<{ pid: number }>('begin; lock table t; select pg_backend_pid() as pid')
      .then(results => (results as unknown as { rows: { pid: number }[] }[])[2] ?? { rows: [] })
    const folder = await folderOf({ ...table, '2_x': ['alter table t add column x int;', ''] })
    const report = await applyTrack(session, { ...someone, folder, lockTimeoutMs: 150, lockRetries: 1 })
    expect(report.error).toMatchObject({ code: 'LOCK_TIMEOUT', sqlState: '55P03', at: { line: 1 } })
    expect(report.error?.message).toContain('"nightly report" of postgres')
    expect(report.error?.hint).toContain(`pg_terminate_backend(${rows[0]?.pid})`)
    expect(report.error?.details?.['blockers']).toMatchObject([
      { processId: rows[0]?.pid, mode: 'AccessExclusiveLock' },
    ])
    await holder.query('rollback')
  })

  test('names a transaction that an index waits for', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder: await folderOf(table) })
    const old = await application(url, 'forgotten console')
    await old.query('begin; insert into t values (1)')
    const events = listener()
    const folder = await folderOf({
      ...table,
      '2_i': ['create index concurrently t_id on t (id);', 'drop index t_id;'],
    })
    const applying = applyTrack(session, { ...someone, folder, emit: events.emit })
    while (events.of('lock.blocked').length === 0) await sleep(20)
    await old.query('commit')
    expect(await applying).toMatchObject({ status: 'succeeded' })
    expect(events.of('lock.blocked')[0]?.blockers).toMatchObject([{ application: 'forgotten console' }])
  })
})

describe('a step that others wait for', () => {
  test('says how many waited, and how long at most, also those behind others', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderOf({
      '1_t': [
        'create table t (id int primary key);\ninsert into t values (1);',
        'lock table t;\nselect pg_sleep(1);\ndrop table t;',
      ],
    })
    await applyTrack(session, { ...someone, folder })
    const readers = await Promise.all([1, 2, 3].map(at => application(url, `reader ${at}`)))
    const target = { kind: 'version', version: '0' } as const
    const rollingBack = rollbackTrack(session, { ...someone, folder, target })
    await withClient(url, async client => {
      const locked =
        "select 1 from pg_locks where relation = to_regclass('t') and mode = 'AccessExclusiveLock' and granted"
      while ((await client.query(locked)).rowCount === 0) await sleep(10)
    })
    const waits = readers.map(reader => reader.query('select * from t').catch(() => undefined))
    const report = await rollingBack
    await Promise.all(waits)
    expect(report.done[0]).toMatchObject({ blockedSessionsMax: 3, lockWaitMs: 0 })
    expect(report.done[0]?.blockedMsMax).toBeGreaterThan(0)
    expect(report.downtime).toMatchObject({ basis: 'observed', longestMs: report.done[0]?.blockedMsMax })
  })

  test('a step that is over at once opens no second connection and claims nothing', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const report = await applyTrack(session, { ...someone, folder: await folderOf(table) })
    expect(report.done[0]).toMatchObject({ lockWaitMs: null, blockedSessionsMax: null, blockedMsMax: null })
  })
})

describe('an observer', () => {
  test('that cannot connect disturbs nobody', async () => {
    const { url, name } = await emptyDatabase()
    const role = `${name}_one`
    await withClient(url, client =>
      client.query(
        `create role ${role} login connection limit 1; grant create on schema public to ${role}; grant create on database ${name} to ${role}`,
      ),
    )
    onTestFinished(() =>
      withClient(url, client => client.query(`drop owned by ${role} cascade; drop role ${role}`)).then(() => undefined),
    )
    const session = await postgres.open(asUser(url, role))
    const folder = await folderOf({ '1_slow': ['create table t (id int);\nselect pg_sleep(0.6);', 'drop table t;'] })
    const report = await applyTrack(session, { ...someone, folder })
    await session.close()
    expect(report).toMatchObject({ status: 'succeeded', done: [{ lockWaitMs: null }] })
  })

  test('without rights on other roles still tells who and where, and for whom it waits', async () => {
    const { url, name } = await emptyDatabase()
    const role = `${name}_poor`
    await withClient(url, client =>
      client.query(`create role ${role} login; create table t (id int); grant select, insert on t to ${role}`),
    )
    onTestFinished(() =>
      withClient(url, client => client.query(`drop owned by ${role} cascade; drop role ${role}`)).then(() => undefined),
    )
    const holder = await application(url, 'somebody else')
    await holder.query('begin; lock table t')
    const session = await openSession(asUser(url, role))
    const seen: Blocker[] = []
    const watch = session.watch?.({ onBlocked: (_, blockers) => void seen.push(...blockers), afterMs: 1, everyMs: 20 })
    const inserting = session.query('insert into t values (1)')
    while (seen.length === 0) await sleep(10)
    await holder.query('rollback')
    await inserting
    const waits = await watch?.stop()
    expect(seen[0]).toMatchObject({ application: 'somebody else', user: 'postgres', summary: null, object: 't' })
    expect(waits?.lockWaitMs).toBeGreaterThan(0)
  })
})

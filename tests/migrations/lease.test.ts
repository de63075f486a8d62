/** Runs that exclude each other by a lease, with and without a pooler: whoever lost it changes nothing more. */
import { describe, expect, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { adopt } from '../../src/migrations/adopt/index.ts'
import { readAttempts } from '../../src/migrations/history.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { failureOf, folderOf, listener, openSession, someone, tableNames } from './support.ts'

const leased = { ...someone, lock: 'lease', leaseMs: 600 } as const

/** Takes the lease away from whoever runs the sleeping statement, as the next runner would. */
async function robSleeper(url: string): Promise<void> {
  await withClient(url, async client => {
    const sleeps =
      "select 1 from pg_stat_activity where datname = current_database() and state = 'active' and wait_event = 'PgSleep'"
    while ((await client.query(sleeps)).rowCount === 0);
    await client.query(
      "update plinth.leases set token = token + 1, owner = 'the next', backend_pid = null where name = 'plinth:operational'",
    )
  })
}

describe('a run whose lease was taken while it slept', () => {
  test('in one transaction: nothing of the step is kept, nor told to the history', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderOf({
      '1_a': ['create table a (id int);', 'drop table a;'],
      '2_b': ['create table b (id int);\nselect pg_sleep(600);', 'drop table b;'],
    })
    await applyTrack(session, { ...leased, folder, target: { kind: 'version', version: '1' } })
    const applying = applyTrack(session, { ...leased, folder })
    await robSleeper(url)
    // The heartbeat finds out and stops the statement.
    const report = await applying
    expect(report).toMatchObject({ status: 'failed', current: '1', error: { code: 'LEASE_LOST', exitStatus: 6 } })
    expect(await tableNames(session)).toEqual(['public.a'])
    const attempts = await readAttempts(session, someone.track, { limit: 10 })
    expect(attempts.map(one => [one.version, one.status])).toEqual([['1', 'applied']])
    const { rows } = await session.query('select status from plinth.migration_runs order by started_at')
    expect(rows).toEqual([{ status: 'succeeded' }, { status: 'running' }])
  })

  test('statement by statement: what was counted stays for the next run, and nothing follows it', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const files = {
      '1_a': [
        'create table a (id int);\ncreate index concurrently a_id on a (id);\nselect pg_sleep(1);\ncreate table b (id int);',
        'drop table a, b;',
      ] as const,
    }
    const folder = await folderOf(files)
    const applying = applyTrack(session, { ...leased, leaseMs: 60_000, folder })
    await robSleeper(url)
    // No heartbeat is due, so the fence of the sleeping statement's own transaction refuses it.
    expect(await applying).toMatchObject({ status: 'failed', error: { code: 'LEASE_LOST' } })
    expect(await tableNames(session)).toEqual(['public.a'])
    const [attempt] = await readAttempts(session, someone.track, { limit: 10 })
    expect(attempt).toMatchObject({ status: 'applying', cursor: 2 })
    await session.query("update plinth.leases set expires_at = '-infinity'")
    expect(await applyTrack(await openSession(url), { ...leased, folder })).toMatchObject({ status: 'succeeded' })
    expect(await tableNames(session)).toEqual(['public.a', 'public.b'])
  })
})

test('taking over a history writes nothing once the lease was taken', async () => {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const folder = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
  const scratch = { engine: await engineOf(url), url }
  const options = { ...leased, leaseMs: 60_000, folder, scratch, from: 'baseline', version: '1' } as const
  await applyTrack(session, { ...leased, folder })
  // The ledger is there and empty again, and writing to it takes its time.
  await session.script(`
    delete from plinth.migration_attempts;
    delete from plinth.migration_runs;
    create function slowly() returns trigger language plpgsql as 'begin perform pg_sleep(1); return new; end';
    create trigger slowly before insert on plinth.migration_runs for each row execute function slowly();`)
  const adopting = failureOf(adopt(session, { ...options, drift: 'accept' }))
  await robSleeper(url)
  expect(await adopting).toMatchObject({ code: 'LEASE_LOST', exitStatus: 6 })
  expect(await readAttempts(session, someone.track, { limit: 10 })).toEqual([])
  expect((await session.query('select 1 from plinth.migration_runs')).rowCount).toBe(0)
})

test('sixteen runners on a database without a ledger: each version is applied exactly once', async () => {
  const { url } = await emptyDatabase()
  const folder = await folderOf({
    '1_a': ['create table a (id int);', 'drop table a;'],
    '2_i': ['create index concurrently a_id on a (id);', 'drop index concurrently a_id;'],
    '3_b': ['create table b (id int);', 'drop table b;'],
  })
  const sessions = await Promise.all(Array.from({ length: 16 }, () => openSession(url)))
  const reports = await Promise.all(sessions.map(session => applyTrack(session, { ...leased, folder })))
  expect(reports.map(report => report.error)).toEqual(Array.from({ length: 16 }, () => null))
  expect(reports.flatMap(report => report.done.map(step => step.version)).sort()).toEqual(['1', '2', '3'])
})

test('a run that never said how it ended is waited for while the server still works for it', async () => {
  const { url } = await emptyDatabase()
  const trace = 'a'.repeat(32)
  const folder = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
  const session = await openSession(url)
  await applyTrack(session, { ...leased, folder, traceId: trace })
  await session.query("update plinth.migration_runs set status = 'running'")
  const left = await openSession(url, { applicationName: `plinth:00-${trace}-${'b'.repeat(16)}-01` })
  await left.script('begin; select 1')
  const more = await folderOf({
    '1_a': ['create table a (id int);', 'drop table a;'],
    '2_b': ['create table b (id int);', 'drop table b;'],
  })
  const events = listener()
  const applying = applyTrack(session, { ...leased, folder: more, emit: events.emit })
  while (events.of('lock.waiting').length === 0) await new Promise(resolve => setImmediate(resolve))
  expect(events.of('lock.waiting')[0]?.holder).toMatch(
    /an earlier run that died: its server process \d+ is still idle in transaction/,
  )
  await left.query('rollback')
  expect(await applying).toMatchObject({ status: 'succeeded', current: '2' })
})

/** A session that rests is taken up again as it was, and whatever was done to it in between is not. */
import { onTestFinished, expect, test } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { keepSessions, restingName } from '../../src/migrations/rehearse/kept-sessions.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

async function opened() {
  const { url } = await emptyDatabase()
  const sessions = keepSessions()
  onTestFinished(async () => sessions.close())
  const engine = sessions.on(postgres)
  /** Answers the process that served, so that a story can tell one from the next. */
  const within = async (work: (session: Session) => Promise<unknown>): Promise<number | null> => {
    const session = await engine.open(url, { applicationName: 'story' })
    try {
      await work(session)
      return session.backendId
    } finally {
      await session.close()
    }
  }
  return { url, sessions, within }
}

test('what a script sets, opens and makes for the session is gone the next time, and plans are still there', async () => {
  const { within } = await opened()
  const first = await within(async session => {
    await session.query('select 1 as planned', [], { prepared: true })
    await session.script(`create schema s; create table s.t (n int);
      set search_path = s; set timezone = 'Asia/Tokyo'; set role pg_monitor;
      create temp table t (n int); listen story; declare c cursor with hold for select 1; begin; set local work_mem = '8MB'`)
  })
  const second = await within(async session => {
    const { rows } =
      await session.query(`select current_setting('search_path') as path, current_setting('TimeZone') as zone,
      current_user::text = session_user::text as own, to_regclass('pg_temp.t') is null as gone, current_setting('work_mem') <> '8MB' as small,
      current_setting('application_name') as application, (select count(*)::int from pg_cursors where name = 'c') as cursors,
      (select count(*)::int from pg_listening_channels()) as channels,
      (select count(*)::int from pg_prepared_statements where statement = 'select 1 as planned') as plans`)
    expect(rows).toEqual([
      {
        path: '"$user", public',
        zone: 'UTC',
        own: true,
        gone: true,
        small: true,
        application: 'story',
        cursors: 0,
        channels: 0,
        plans: 1,
      },
    ])
  })
  expect(second).toBe(first)
})

test.each([
  ['a lock', 'select pg_advisory_lock(7)'],
  ['a statement of its own', 'prepare mine as select 1'],
])('%s that stays ends the session', async (_, script) => {
  const { within } = await opened()
  const first = await within(session => session.script(script))
  const second = await within(async session => {
    const { rows } = await session.query(`select count(*)::int as left_over from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`)
    expect(rows).toEqual([{ left_over: 0 }])
    await session.script('prepare mine as select 2')
  })
  expect(second).not.toBe(first)
})

test('a session that somebody ended while it rested is opened anew', async () => {
  const { url, within } = await opened()
  const first = await within(session => session.query('select 1'))
  await withClient(url, async client => {
    for (;;) {
      const { rowCount } = await client.query(
        'select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = $1 and pid = $2',
        [restingName, first],
      )
      if (rowCount) return
    }
  })
  expect(await within(session => session.query('select 1'))).not.toBe(first)
})

test('two at a time are two sessions, and none rests behind the end', async () => {
  const { url, sessions, within } = await opened()
  let inner: number | null = null
  const outer = await within(async () => {
    inner = await within(session => session.query('select 1'))
  })
  expect(inner).not.toBe(outer)
  await sessions.close()
  await within(session => session.query('select 1'))
  await sessions.close()
  await withClient(url, async client => {
    for (;;) {
      const { rows } = await client.query(
        'select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      )
      if (rows.length === 0) return
    }
  })
})

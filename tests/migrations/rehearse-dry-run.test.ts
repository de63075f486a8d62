import { expect, test } from 'vitest'
import { applyTrack, dryRunTrack } from '../../src/migrations/track.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { folderOf, openSession, someone, tableNames, writeFiles } from './support.ts'

const first = {
  '1_a': ['create table a (id serial primary key, n int); insert into a (n) values (1), (2);', 'drop table a;'],
} as const

async function begun(files: Parameters<typeof writeFiles>[1]) {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const folder = await folderOf(first)
  await applyTrack(session, { ...someone, folder })
  await writeFiles(folder, files)
  const trial = () => dryRunTrack(session, { track: someone.track, folder, direction: 'up', lockTimeoutMs: 300 })
  return { url, session, folder, trial }
}

/** Everything that a catalog and a history have, as one text. */
async function stateOf(session: Awaited<ReturnType<typeof begun>>['session']): Promise<string> {
  const { rows } = await session.query(
    `select (select json_agg(a order by a.id) from a) as rows, (select count(*) from plinth.migration_runs) as runs,
      (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks,
      (select count(*) from pg_prepared_statements where from_sql) as prepared, current_setting('search_path') as path, current_setting('plan_cache_mode') as mode`,
  )
  return JSON.stringify([rows, await session.introspect(), await tableNames(session)])
}

test('everything runs on the target, with its rows, and nothing is left', async () => {
  const { session, trial } = await begun({
    '2_b': [
      'alter table a alter n type bigint; set search_path = pg_catalog; update public.a set n = n + 1;',
      'select 1;',
    ],
    '3_c': ['create table c (id int references a);', 'drop table c;'],
  })
  const before = await stateOf(session)
  const report = await trial()
  expect(report).toMatchObject({ status: 'passed', error: null, from: '1', to: '3' })
  expect(report.steps.map(({ status }) => status)).toEqual(['passed', 'passed'])
  expect(report.steps[0]?.statements[0]).toMatchObject({ rewrites: ['public.a', 'public.a_pkey'], scans: ['public.a'] })
  expect(report.steps[0]?.statements[2]?.rows).toEqual([{ table: 'public.a', inserted: 0, updated: 2, deleted: 0 }])
  expect(await stateOf(session)).toBe(before)
})

test('a step that fails on the rows of the target is told with its place', async () => {
  const { session, folder, trial } = await begun({
    '2_b': ['alter table a add column m int;\nalter table a add constraint few check (n < 2);', 'select 1;'],
    '3_c': ['create table c (id int);', 'drop table c;'],
  })
  const before = await stateOf(session)
  const report = await trial()
  expect(report.steps.map(({ status }) => status)).toEqual(['failed', 'not reached'])
  expect(report.error).toMatchObject({ code: 'CONSTRAINT_VIOLATED', at: { file: `${folder}/2_b.up.sql`, line: 2 } })
  expect(await stateOf(session)).toBe(before)
})

test('what cannot run in a transaction is skipped by name, and what may need it as well', async () => {
  const { session, trial } = await begun({
    '2_b': ['create index concurrently a_n on a (n);', 'drop index a_n;'],
    '3_c': ['comment on index a_n is $$x$$;', 'select 1;'],
    '4_d': ['create table d (id int);', 'drop table d;'],
  })
  const before = await stateOf(session)
  const report = await trial()
  expect(report.steps.map(({ status }) => status)).toEqual(['skipped', 'skipped', 'passed'])
  expect(report.steps[0]?.reason).toMatch(/cannot run in a transaction/)
  expect(report.steps[1]?.reason).toMatch(/may need what was skipped: 2_b/)
  expect(report).toMatchObject({ status: 'passed' })
  expect(await stateOf(session)).toBe(before)
})

test('a check that finds rows and a lock that somebody holds end it, safe to run again', async () => {
  const { url, trial, folder } = await begun({ '2_b': ['alter table a add column m int;', 'select 1;'] })
  await withClient(url, async client => {
    await client.query('begin')
    await client.query('lock table a in access share mode')
    const report = await trial()
    expect(report.error).toMatchObject({ code: 'LOCK_TIMEOUT', exitStatus: 6 })
    await client.query('rollback')
  })
  await writeFiles(folder, { '2_b.checks.sql': '-- check: none before up\n-- Empty it first.\nselect * from a;\n' })
  expect((await trial()).error).toMatchObject({ code: 'CHECK_FAILED' })
})

/** What is applied later and stands on what is taken back stops the rollback, with the list; what has nothing to do with it does not. */
import { describe, expect, test } from 'vitest'
import { withClient } from '../support/database.ts'
import { emptyDatabase } from '../support/database.ts'
import type { Session } from '../../src/engines/engine.ts'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import {
  duckDatabase,
  type Files,
  failureOf,
  folderOf,
  openSession,
  someone,
  tableNames,
  writeFiles,
} from './support.ts'

const customers = ['create table customers (id int primary key, name text);', 'drop table customers;'] as const

/** Applies the first files in a run of their own, then the others. */
async function twoRuns(first: Files, second: Files, session: Session) {
  const folder = await folderOf(first)
  const { runId } = await applyTrack(session, { ...someone, folder })
  await writeFiles(folder, second)
  expect((await applyTrack(session, { ...someone, folder })).status).toBe('succeeded')
  const rollback = (run = runId) => rollbackTrack(session, { ...someone, folder, target: { kind: 'run', runId: run } })
  return { folder, runId, rollback }
}

const onPostgres = async () => openSession((await emptyDatabase()).url)

test('an older run is taken back from below a later one that has nothing to do with it', async () => {
  const session = await onPostgres()
  const { rollback } = await twoRuns(
    { '1_customers': customers },
    { '2_prices': ['create table prices (id int); -- not for customers', 'drop table prices;'] },
    session,
  )
  expect(await rollback()).toMatchObject({ status: 'succeeded', from: '2', current: '2', done: [{ version: '1' }] })
  expect(await tableNames(session)).toEqual(['public.prices'])
})

describe('a later migration that has to do with it stops the rollback', () => {
  test.each([
    ['a foreign key', 'create table orders (id int, customer int references customers);', 'drop table orders;'],
    ['a view', 'create view names as select name from customers;', 'drop view names;'],
    ['a column of its own', 'alter table customers add column age int;', 'alter table customers drop column age;'],
    ['rows', "insert into customers values (1, 'a');", 'delete from customers;'],
    [
      'the body of a function',
      'create function f() returns bigint language plpgsql as $$ begin return (select count(*) from customers); end $$;',
      'drop function f();',
    ],
    ['a block of code', "do $$ begin execute 'create index i on customers (name)'; end $$;", 'drop index i;'],
    ['quotes and capitals', 'create view "V" as select 1 from PUBLIC."customers";', 'drop view "V";'],
  ])('%s', async (_, up, down) => {
    const session = await onPostgres()
    const before = { '1_customers': customers }
    const { rollback, folder, runId } = await twoRuns(before, { '2_later': [up, down] }, session)
    const tables = await tableNames(session)
    const error = await failureOf(rollback())
    expect(error).toMatchObject({ code: 'ROLLBACK_BLOCKED', exitStatus: 5 })
    expect(error.message).toMatch(/2_later \(.*customers/)
    expect(error.hint).toContain('Take 2 back first')
    expect(error.details).toMatchObject({ dependents: [{ version: '2', slug: 'later' }] })
    expect(await tableNames(session)).toEqual(tables)
    const target = { kind: 'run', runId } as const
    expect(
      await failureOf(planTrack(session, { track: someone.track, folder, direction: 'down', target })),
    ).toMatchObject({ code: 'ROLLBACK_BLOCKED' })
    expect(await rollback('last')).toMatchObject({ status: 'succeeded', current: '1' })
    expect(await rollback('last')).toMatchObject({ status: 'succeeded', current: null })
    expect(await rollback('last')).toMatchObject({ status: 'nothing-to-do' })
  })
})

test('the catalog knows what no file names', async () => {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const hidden = "do $$ begin execute 'create view v as select id from cust' || 'omers'; end $$;"
  const { rollback } = await twoRuns(
    { '1_customers': ['create table customers (id int primary key);', 'drop table customers cascade;'] },
    { '2_hidden': [hidden, 'drop view v;'] },
    session,
  )
  const error = await failureOf(rollback())
  expect(error).toMatchObject({ code: 'ROLLBACK_BLOCKED' })
  expect(error.details).toMatchObject({ dependents: [{ version: '2', objects: ['view v'] }] })
})

test('what was made by hand on it stops it as well, and an index or a default of its own does not', async () => {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const { rollback } = await twoRuns(
    {
      '1_customers': [
        'create table customers (id serial primary key, name text default current_user); create index i on customers (name);',
        'drop table customers;',
      ],
    },
    { '2_prices': ['create table prices (id int);', 'drop table prices;'] },
    session,
  )
  await withClient(url, client => client.query('create view by_hand as select name from customers'))
  const error = await failureOf(rollback())
  expect(error.details).toEqual({ dependents: [{ version: null, slug: null, objects: ['view by_hand'] }] })
  await withClient(url, client => client.query('drop view by_hand'))
  expect(await rollback()).toMatchObject({ status: 'succeeded' })
})

test('a dropped column asks for what hangs on that column alone', async () => {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const folder = await folderOf({ '1_customers': customers })
  await applyTrack(session, { ...someone, folder })
  const { runId } = await (async () => {
    await writeFiles(folder, {
      '2_age': ['alter table customers add column age int;', 'alter table customers drop column age;'],
    })
    return applyTrack(session, { ...someone, folder })
  })()
  await writeFiles(folder, { '3_prices': ['create table prices (id int);', 'drop table prices;'] })
  await applyTrack(session, { ...someone, folder })
  const target = { kind: 'run', runId } as const
  await withClient(url, client => client.query('create view ages as select age from customers'))
  expect(await failureOf(rollbackTrack(session, { ...someone, folder, target }))).toMatchObject({
    code: 'ROLLBACK_BLOCKED',
    details: { dependents: [{ version: null, objects: ['view ages'] }] },
  })
  await withClient(url, client => client.query('drop view ages; create view names as select name from customers'))
  expect(await rollbackTrack(session, { ...someone, folder, target })).toMatchObject({ status: 'succeeded' })
})

test('later is what was applied later, whatever its version', async () => {
  const session = await onPostgres()
  const folder = await folderOf({ '5_customers': customers })
  await applyTrack(session, { ...someone, folder })
  await writeFiles(folder, { '3_view': ['create view names as select name from customers;', 'drop view names;'] })
  await applyTrack(session, { ...someone, folder, allowOutOfOrder: true })
  const target = { kind: 'version', version: '3' } as const
  expect(await failureOf(rollbackTrack(session, { ...someone, folder, target }))).toMatchObject({
    code: 'ROLLBACK_BLOCKED',
    details: { dependents: [{ version: '3' }] },
  })
  const all = { kind: 'version', version: '0' } as const
  expect(await rollbackTrack(session, { ...someone, folder, target: all })).toMatchObject({
    status: 'succeeded',
    done: [{ version: '3' }, { version: '5' }],
  })
})

test('a warehouse is asked by names', async () => {
  const session = await openSession(await duckDatabase())
  const { rollback } = await twoRuns(
    { '1_customers': ['create table customers (id int);', 'drop table customers;'] },
    { '2_copy': ['create table copies as select * from customers;', 'drop table copies;'] },
    session,
  )
  expect(await failureOf(rollback())).toMatchObject({
    code: 'ROLLBACK_BLOCKED',
    details: { dependents: [{ version: '2', objects: ['customers'] }] },
  })
})

test('a rollback says how long others may have waited for it', async () => {
  const session = await onPostgres()
  const folder = await folderOf({
    '1_customers': customers,
    '2_note': ["comment on table customers is 'x';", 'select 1;'],
  })
  const up = await applyTrack(session, { ...someone, folder })
  expect(up.done.map(step => step.lockedMsMax)).toEqual([0, 0])
  expect(up.downtime).toEqual({ totalMs: 0, longestMs: 0, basis: 'upper bound' })
  const down = await rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } })
  const [note, table] = down.done
  expect(note?.lockedMsMax).toBe(0)
  expect(table?.lockedMsMax).toBeGreaterThan(0)
  // On a slow machine somebody watched, and then what he saw counts.
  expect(down.downtime.totalMs).toBe((note?.blockedMsMax ?? 0) + (table?.blockedMsMax ?? table?.lockedMsMax ?? 0))
  expect(down.downtime.longestMs).toBeLessThanOrEqual(down.durationMs)
})

import { describe, expect, test } from 'vitest'
import { applyTrack, planTrack, redoTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { readAttempts, readHistory } from '../../src/migrations/history.ts'
import { emptyDatabase } from '../support/database.ts'
import { duckDatabase, failureOf, folderOf, listener, openSession, someone, tableNames, writeFiles } from './support.ts'

const two = {
  '202601010000_create_shop': [
    'create schema shop;\ncreate table shop.orders (id int primary key);',
    'drop table shop.orders;\ndrop schema shop;',
  ],
  '202601020000_add_note': [
    'alter table shop.orders add column note text;',
    'alter table shop.orders drop column note;',
  ],
} as const

describe.each([
  { name: 'PostgreSQL', database: async () => (await emptyDatabase()).url },
  { name: 'DuckDB', database: duckDatabase },
])('$name: apply and rollback', ({ database }) => {
  test('before, after apply, after rollback, after reapply', async () => {
    const session = await openSession(await database())
    const folder = await folderOf(two)
    expect(await tableNames(session)).toEqual([])

    const applied = await applyTrack(session, { ...someone, folder })
    expect(applied).toMatchObject({
      status: 'succeeded',
      from: null,
      current: '202601020000',
      failed: null,
      remaining: [],
    })
    expect(applied.done.map(step => [step.version, step.direction, step.mode])).toEqual([
      ['202601010000', 'up', 'transactional'],
      ['202601020000', 'up', 'transactional'],
    ])
    expect(await tableNames(session)).toEqual(['shop.orders'])

    const again = await applyTrack(session, { ...someone, folder })
    expect(again).toMatchObject({ status: 'nothing-to-do', current: '202601020000', done: [] })

    const one = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(one).toMatchObject({ status: 'succeeded', from: '202601020000', current: '202601010000' })

    const all = await rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } })
    expect(all).toMatchObject({ status: 'succeeded', from: '202601010000', current: null })
    expect(await tableNames(session)).toEqual([])

    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'succeeded',
      current: '202601020000',
    })
    expect(await tableNames(session)).toEqual(['shop.orders'])
    const attempts = await readAttempts(session, someone.track, { limit: 100 })
    expect(attempts.map(one => `${one.direction} ${one.version} ${one.status}`).reverse()).toEqual([
      'up 202601010000 applied',
      'up 202601020000 applied',
      'down 202601020000 rolled_back',
      'down 202601010000 rolled_back',
      'up 202601010000 applied',
      'up 202601020000 applied',
    ])
  })

  test('an error in the last statement leaves nothing but a note of the failure', async () => {
    const session = await openSession(await database())
    const folder = await folderOf({
      '1_a': ['create table kept (id int);', 'drop table kept;'],
      '2_b': ['create table lost (id int);\ninsert into lost values (1);\ninsert into missing values (1);', ''],
    })
    const events = listener()
    const report = await applyTrack(session, { ...someone, folder, emit: events.emit })
    expect(report).toMatchObject({ status: 'failed', current: '1', failed: { version: '2', line: 3 } })
    expect(report.error).toMatchObject({ at: { line: 3 }, details: { statement: 2, summary: 'insert into missing' } })
    expect(await tableNames(session)).toEqual([expect.stringContaining('.kept')])
    expect(events.of('step.failed')).toMatchObject([{ version: '2', line: 3 }])
    const [attempt] = await readAttempts(session, someone.track, { limit: 1 })
    expect(attempt).toMatchObject({ version: '2', status: 'failed', errorLine: 3, cursor: 0 })
  })

  test('a failure is not repeated unasked, but an edited file is tried', async () => {
    const session = await openSession(await database())
    const folder = await folderOf({ '1_a': ['create table a (id int);\nselect * from missing;', 'drop table a;'] })
    expect((await applyTrack(session, { ...someone, folder })).status).toBe('failed')
    const refused = await failureOf(applyTrack(session, { ...someone, folder }))
    expect(refused).toMatchObject({ code: 'STEP_FAILED_BEFORE', exitStatus: 5, at: { line: 2 } })
    expect(await applyTrack(session, { ...someone, folder, retryFailed: true })).toMatchObject({ status: 'failed' })
    await writeFiles(folder, { '1_a.up.sql': 'create table a (id int);' })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '1' })
  })

  test('a plan is data, makes nothing, and tells what apply then does', async () => {
    const session = await openSession(await database())
    const folder = await folderOf({
      ...two,
      '202601030000_secret': ["insert into shop.orders values (1, 'hunter2');", 'delete from shop.orders;'],
    })
    const plan = await planTrack(session, { track: 'operational', folder, direction: 'up' })
    expect(JSON.stringify(plan)).not.toContain('hunter2')
    expect(plan).toMatchObject({ format: 1, from: null, to: '202601030000' })
    expect(plan.steps.map(step => step.statements.map(one => one.summary))).toEqual([
      ['create schema shop', 'create table shop.orders'],
      [expect.stringContaining('alter table shop.orders')],
      ['insert into shop.orders'],
    ])
    const { rows } = await session.query("select 1 from information_schema.schemata where schema_name = 'plinth'")
    expect(rows).toEqual([])
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.done.map(step => step.version)).toEqual(plan.steps.map(step => step.version))
    expect(report.done.at(-1)).toMatchObject({ rows: 1, tables: ['shop.orders'] })
  })

  test('redo takes the last step back and applies it again', async () => {
    const session = await openSession(await database())
    const folder = await folderOf(two)
    await applyTrack(session, { ...someone, folder })
    const [down, up] = await redoTrack(session, { ...someone, folder })
    expect(down).toMatchObject({ status: 'succeeded', current: '202601010000' })
    expect(up).toMatchObject({ status: 'succeeded', current: '202601020000' })
  })

  test('rollback takes the last run back as a whole, from the kept SQL when files are gone', async () => {
    const session = await openSession(await database())
    const folder = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
    await applyTrack(session, { ...someone, folder })
    await writeFiles(folder, {
      '2_b': ['create table b (id int);', 'drop table b;'],
      '3_c': ['create table c (id int);', 'drop table c;'],
    })
    const { runId } = await applyTrack(session, { ...someone, folder })
    const older = await folderOf({ '1_a': ['create table a (id int);', 'drop table a;'] })
    const report = await rollbackTrack(session, { ...someone, folder: older, target: { kind: 'run', runId } })
    expect(report).toMatchObject({ status: 'succeeded', from: '3', current: '1' })
    expect(report.notices.join(' ')).toMatch(/3_c is rolled back by the SQL that was kept/)
    expect(await tableNames(session)).toEqual([expect.stringContaining('.a')])
    expect((await readHistory(session, someone.track)).map(one => [one.version, one.state])).toEqual([
      ['1', 'applied'],
      ['2', 'pending'],
      ['3', 'pending'],
    ])
  })
})

test('DuckDB: a file with transactions of its own and a checkpoint runs statement by statement', async () => {
  const session = await openSession(await duckDatabase())
  const folder = await folderOf({
    '1_a': [
      'create schema s; use s;\nbegin; create table a (id int); insert into a values (1); commit;\ncheckpoint;\nbegin; insert into a values (2); rollback;\ninsert into a values (3);',
      'drop table s.a; drop schema s;',
    ],
    '2_b': ['create table b (id int);', 'drop table b;'],
  })
  const report = await applyTrack(session, { ...someone, folder })
  expect(report.error).toBeNull()
  expect(report.done.map(step => step.mode)).toEqual(['statement-wise', 'transactional'])
  expect((await session.query('select id from s.a order by id')).rows).toEqual([{ id: 1 }, { id: 3 }])
  expect(await tableNames(session)).toEqual(['main.b', 's.a'])
})

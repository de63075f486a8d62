import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
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

const base = {
  '1_orders': ['create table orders (id int primary key, amount int);', 'drop table orders;'],
} as const

const step = ['alter table orders add column note text;', 'alter table orders drop column note;'] as const

describe.each([
  { name: 'PostgreSQL', database: async () => (await emptyDatabase()).url },
  { name: 'DuckDB', database: duckDatabase },
])('$name: checks', ({ database }) => {
  const begin = async (files: Files) => {
    const session = await openSession(await database())
    const folder = await folderOf({ ...base, ...files })
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    return { session, folder }
  }

  test('are shown by the plan, told, and kept with the step', async () => {
    const { session, folder } = await begin({
      '2_note': step,
      '2_note.checks.sql': `-- check: amounts_are_there before
select id from orders where amount is null;
-- check: note_is_there after
select id, id from orders where note <> note -- a comment at the end
;
-- check: not_now before down
select 1`,
    })
    const plan = await planTrack(session, { ...someone, folder, direction: 'up' })
    expect(plan.steps[0]?.checks).toEqual([
      { name: 'amounts_are_there', moment: 'before', line: 1 },
      { name: 'note_is_there', moment: 'after', line: 3 },
    ])
    const heard = listener()
    const report = await applyTrack(session, { ...someone, folder, emit: heard.emit })
    expect(report.done[0]?.checks.map(check => [check.name, check.moment])).toEqual([
      ['amounts_are_there', 'before'],
      ['note_is_there', 'after'],
    ])
    expect(heard.of('check.finished').map(fact => [fact.check, fact.status])).toEqual([
      ['amounts_are_there', 'passed'],
      ['note_is_there', 'passed'],
    ])
    const kept = await session.query<{ checks: unknown }>(
      "select checks from plinth.migration_attempts where version = '2'",
    )
    expect(kept.rows[0]?.checks).toMatchObject([{ name: 'amounts_are_there' }, { name: 'note_is_there' }])
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(back.error).toMatchObject({
      code: 'CHECK_FAILED',
      message: expect.stringMatching(/before the rollback of 2_note/),
    })
  })

  test('before a step stop it before anything is changed; the next run asks again', async () => {
    const { session, folder } = await begin({
      '2_note': step,
      '2_note.checks.sql':
        '\n-- check: amounts before\n-- Fill the amounts\n-- of old orders first.\nselect * from orders where amount is null;',
    })
    await session.script('insert into orders values (1, null), (2, null), (3, 424242)')
    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({ status: 'failed', done: [] })
    expect(report.error).toMatchObject({
      code: 'CHECK_FAILED',
      exitStatus: 3,
      message: 'The check "amounts" before 2_note found 2 rows.',
      at: { file: join(folder, '2_note.checks.sql'), line: 2 },
      hint: 'Fill the amounts of old orders first.',
      details: { check: 'amounts', rows: 2 },
    })
    expect(JSON.stringify(report.error)).not.toContain('424242')
    await session.script('update orders set amount = 1 where amount is null')
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
  })

  test('after a transactional step take it back whole', async () => {
    const { session, folder } = await begin({
      '2_b': ['create table b (id int);', 'drop table b;'],
      '2_b.checks.sql': '-- check: never after\nselect 1;',
    })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.error).toMatchObject({ code: 'CHECK_FAILED', message: 'The check "never" after 2_b found 1 row.' })
    expect(await tableNames(session)).toEqual(
      ['main.orders', 'public.orders'].filter(name =>
        name.startsWith(session.engine.name === 'postgres' ? 'public' : 'main'),
      ),
    )
  })

  test('after a statement-wise step keep it unfinished until they hold', async () => {
    const { session, folder } = await begin({
      '2_b': ['-- plinth: transaction=statement\ncreate table b (id int);\ninsert into b values (1);', 'drop table b;'],
      '2_b.checks.sql': '-- check: first before\nselect 1 from orders;\n-- check: empty after\nselect 1 from b;',
    })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.error).toMatchObject({ code: 'CHECK_FAILED', details: { check: 'empty' } })
    // What was begun is not asked again whether it may begin.
    await session.script('insert into orders values (1, 1)')
    await session.script('delete from b')
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
  })

  test('whose query the database refuses are located', async () => {
    const { session, folder } = await begin({
      '2_note': step,
      '2_note.checks.sql': '\n-- check: a before\nselect * from missing;',
    })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.error).toMatchObject({ code: 'SQL_FAILED', at: { file: join(folder, '2_note.checks.sql'), line: 2 } })
  })

  test.each([
    ['select 1;', 1, /before the first check/],
    ['-- check: a before', 1, /0 queries/],
    ['-- check: a before\nselect 1;\nselect 2;', 1, /2 queries/],
    ['-- check: a befor\nselect 1;', 1, /not "befor"/],
    ['-- check: a before sideways\nselect 1;', 1, /not to "sideways"/],
    ['-- check before\nselect 1;', 1, /cannot be read/],
    ['-- check: a before\nselect 1;\n-- check: a before up\nselect 1;', 3, /two checks/],
    ['-- check: a before\ndelete from orders;', 2, /no query/],
  ])('%j is refused with its line', async (text, line, message) => {
    const { session, folder } = await begin({ '2_note': step, '2_note.checks.sql': text })
    const error = await failureOf(applyTrack(session, { ...someone, folder }))
    expect(error).toMatchObject({
      code: 'CHECK_INVALID',
      exitStatus: 2,
      at: { line },
      message: expect.stringMatching(message),
    })
  })

  test('without their migration, or two for one, stop the load', async () => {
    const { session, folder } = await begin({ '2_note': step })
    await writeFiles(folder, { '3_x.checks.sql': '-- check: a before\nselect 1;' })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'CHECKS_WITHOUT_MIGRATION',
      at: { file: join(folder, '3_x.checks.sql') },
    })
    await writeFiles(folder, { '3_x': ['', ''], '03_y.checks.sql': '' })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({ code: 'VERSION_DUPLICATE' })
  })
})

describe('PostgreSQL: checks', () => {
  test('only read, also where a function would write', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({
      ...base,
      '2_f': [
        "create function note() returns int language sql as 'insert into orders values (9, 9) returning id';",
        'drop function note();',
      ],
      '3_b': ['create table b (id int);', 'drop table b;'],
      '3_b.checks.sql': '-- check: writes before\nselect note();',
    })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({ current: '2', failed: { sqlState: '25006' } })
  })
})

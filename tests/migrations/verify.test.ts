import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { duckDatabase, type Files, folderOf } from './support.ts'

async function verify(url: string, files: Files) {
  const folder = await folderOf(files)
  return {
    folder,
    report: await verifyTrack({ engine: await engineOf(url), url, track: 'operational', folder, actor: 'tester' }),
  }
}

const good = {
  '1_a': ['create table a (id int primary key);', 'drop table a;'],
  '2_b': ['alter table a add column note text;', 'alter table a drop column note;'],
} as const

describe.each([
  { name: 'PostgreSQL', database: async () => (await emptyDatabase()).url },
  { name: 'DuckDB', database: duckDatabase },
])('$name: verify', ({ database }) => {
  test('passes true downs, with the time of each step', async () => {
    const { report } = await verify(await database(), good)
    expect(report).toMatchObject({ status: 'passed', error: null, reapplied: [] })
    expect(
      report.steps.map(step => [step.version, step.differences.length, step.upMs > 0, (step.downMs ?? 0) > 0]),
    ).toEqual([
      ['1', 0, true, true],
      ['2', 0, true, true],
    ])
  })

  test('names the down that is false, although the ones before it would hide that', async () => {
    const { report, folder } = await verify(await database(), {
      ...good,
      '3_c': ['create table c (id int);\ncreate table d (id int);', 'drop table c;'],
    })
    expect(report).toMatchObject({
      status: 'failed',
      error: { code: 'VERIFY_FAILED', exitStatus: 3, at: { file: join(folder, '3_c.down.sql') } },
    })
    expect(report.error?.message).toMatch(/3_c does not undo its up: table \w+\.d is left\./)
    expect(report.steps.at(-1)?.differences.length).toBeGreaterThan(0)
  })
})

describe('verify', () => {
  test.each([
    ["comment on index a_n is 'x';", 'comment of index public.a_n'],
    ['grant usage on sequence s to pg_monitor;', 'grants of sequence public.s'],
    ["comment on constraint a_pkey on a is 'x';", 'comment of primary key public.a.a_pkey'],
    ['alter table a owner to pg_monitor;', 'owner of table public.a'],
    ['alter default privileges grant select on tables to pg_monitor;', 'default privileges of'],
  ])('sees that a down leaves behind what %s did', async (deed, told) => {
    const { report } = await verify((await emptyDatabase()).url, {
      '1_a': [
        'create table a (id int primary key, n int); create index a_n on a (n); create sequence s;',
        'drop sequence s; drop table a;',
      ],
      '2_b': [deed, '-- nothing'],
    })
    expect(report.error).toMatchObject({ code: 'VERIFY_FAILED', message: expect.stringContaining(told) })
  })

  test('names what a down takes too much, without its definition', async () => {
    const { report } = await verify((await emptyDatabase()).url, {
      '1_a': ['create table a (id int);\nalter table a add constraint secret check (id <> 424242);', 'drop table a;'],
      '2_b': ['alter table a add column b int;', 'alter table a drop column b;\nalter table a drop constraint secret;'],
    })
    expect(report.error).toMatchObject({
      code: 'VERIFY_FAILED',
      message: expect.stringMatching(/check public\.a\.secret is missing/),
    })
    expect(JSON.stringify(report.error)).not.toContain('424242')
  })

  test('tells a step that cannot run, and leaves no database behind', async () => {
    const { url } = await emptyDatabase()
    const engine = await engineOf(url)
    const made: string[] = []
    const watched: Engine = {
      ...engine,
      createScratch: (near, name, options) => {
        made.push(name)
        return engine.createScratch(near, name, options)
      },
    }
    const run = async (files: Files) =>
      verifyTrack({ engine: watched, url, track: 'operational', folder: await folderOf(files), actor: 'tester' })
    expect(await run({ '1_a': ['create table a (id int);', 'drop table missing;'] })).toMatchObject({
      status: 'failed',
      error: { code: 'SQL_FAILED', sqlState: '42P01' },
      steps: [{ version: '1', downMs: null }],
    })
    expect(await run(good)).toMatchObject({ status: 'passed' })
    await withClient(url, async client => {
      expect(made).toHaveLength(2)
      expect((await client.query('select 1 from pg_database where datname = any($1)', [made])).rows).toEqual([])
    })
  })
})

test('rows that an up changes wherever it finds them are not held against a down, and the table is named', async () => {
  const files: Files = {
    '1_a': [
      `create table a (id int primary key, state text); create table b (id int primary key);
      insert into a values (1, 'old'), (2, 'new'); insert into b values (1)`,
      'drop table b; drop table a;',
    ],
    '2_state': ["update a set state = 'open' where state is distinct from 'new'; truncate b", '-- nothing'],
  }
  const { url } = await emptyDatabase()
  const { report } = await verify(url, files)
  expect(report.error).toBeNull()
  expect(report.data).toMatchObject({ spared: ['public.a', 'public.b'], sampled: [] })
  // A down that keeps a row from coming back is still found.
  const { report: broken } = await verify(url, {
    ...files,
    '3_more': ['insert into a select max(id) + 1 from a', '-- nothing'],
  })
  expect(broken.error).toMatchObject({ code: 'VERIFY_FAILED' })
})

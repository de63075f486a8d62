import { describe, expect, test } from 'vitest'
import { describeDirectives, noDirectives, readDirectives } from '../../src/migrations/directives.ts'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { duckDatabase, failureOf, type Files, folderOf, listener, openSession, someone, tableNames } from './support.ts'

describe('a head', () => {
  test('says how its file runs, over several lines and among other comments', () => {
    const directives = readDirectives(
      [
        '-- Fills the totals of orders.',
        '/* a block\n   of comment */',
        '-- plinth: lock-timeout=500ms statement-timeout=5min, retries=0',
        '',
        '--plinth: batch=1000 pause=20ms policy=keep risk=medium reason="fills: a = b, and more"',
        '-- plinth:allow some-rule because it is read by lint',
        "update orders set note = 'x';",
      ].join('\n'),
    )
    expect(directives).toEqual({
      ...noDirectives,
      lockTimeoutMs: 500,
      statementTimeoutMs: 300_000,
      retries: 0,
      batch: 1000,
      pauseMs: 20,
      policy: 'keep',
      risk: 'medium',
      reason: 'fills: a = b, and more',
    })
    expect(describeDirectives(directives)).toBe(
      'lock-timeout=500ms, statement-timeout=5min, retries=0, batch=1000, pause=20ms, policy=keep, risk=medium',
    )
  })

  test('without a wish asks for nothing', () => {
    expect(readDirectives('-- A note: batch of 3.\n-- see plinth.md\nselect 1;')).toEqual(noDirectives)
    expect(describeDirectives(noDirectives)).toBe('')
  })

  test.each([
    ['-- plinth: lock-timeot=2s', 'DIRECTIVE_UNKNOWN', 1, 12, /lock-timeout/],
    ['\n-- plinth: risk=low constructor=1', 'DIRECTIVE_UNKNOWN', 2, 21, /Known are/],
    ['-- plinht: batch=10', 'DIRECTIVE_UNKNOWN', 1, 1, /-- plinth:/],
    ['-- plinth batch=10', 'DIRECTIVE_INVALID', 1, 1, /plinth: /],
    ['-- plinth: batch=0', 'DIRECTIVE_INVALID', 1, 12, /whole number from 1/],
    ['-- plinth: pause=20', 'DIRECTIVE_INVALID', 1, 12, /500ms/],
    ['-- plinth: lock-timeout=600h', 'DIRECTIVE_INVALID', 1, 12, /2s/],
    ['-- plinth: transaction=off', 'DIRECTIVE_INVALID', 1, 12, /auto, statement, none/],
    ['-- plinth: risk=low risk=high', 'DIRECTIVE_INVALID', 1, 21, /one of them/],
    ['-- plinth: fast', 'DIRECTIVE_INVALID', 1, 12, /Known are/],
    ['-- plinth: reason="open', 'DIRECTIVE_INVALID', 1, 12, /double quotes/],
    ['-- plinth:', 'DIRECTIVE_INVALID', 1, 1, /key=value/],
    ['select 1;\n-- plinth: batch=10', 'DIRECTIVE_INVALID', 2, 1, /top/],
  ])('%j is refused with its place', (text, code, line, column, hint) => {
    let error: unknown
    try {
      readDirectives(text, 'a.up.sql')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({
      code,
      exitStatus: 2,
      at: { file: 'a.up.sql', line, column },
      hint: expect.stringMatching(hint),
    })
  })
})

describe.each([
  { name: 'PostgreSQL', database: async () => (await emptyDatabase()).url },
  { name: 'DuckDB', database: duckDatabase },
])('$name: a plan', ({ database }) => {
  const planOf = async (files: Files) =>
    planTrack(await openSession(await database()), { ...someone, folder: await folderOf(files), direction: 'up' })

  test('shows what a head asks for', async () => {
    const { steps } = await planOf({
      '1_a': ['-- plinth: transaction=statement risk=high\ncreate table a (id int);', 'drop table a;'],
    })
    expect(steps).toMatchObject([
      { mode: 'statement-wise', reason: 'transaction=statement', directives: { risk: 'high' } },
    ])
  })

  test('is refused for a misspelt head of the way back, before the way there is taken', async () => {
    const error = await failureOf(planOf({ '1_a': ['create table a (id int);', '-- plinth: retrys=3\ndrop table a;'] }))
    expect(error).toMatchObject({ code: 'DIRECTIVE_UNKNOWN', at: { line: 1 }, hint: 'Did you mean "retries"?' })
    expect(error.at?.file).toMatch(/1_a\.down\.sql$/)
  })

  test('is refused when the file has a transaction of its own and asks for none', async () => {
    const text = '-- plinth: transaction=none\nbegin;\ncreate table a (id int);\ncommit;'
    expect(await failureOf(planOf({ '1_a': [text, ''] }))).toMatchObject({ code: 'DIRECTIVE_INVALID' })
  })
})

describe('PostgreSQL: a run', () => {
  test('keeps what ran before a failure when each statement has a transaction of its own', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({
      '1_a': ['-- plinth: transaction=statement\ncreate table a (id int);\nselect 1 / 0;', 'drop table a;'],
    })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({ status: 'failed', failed: { sqlState: '22012', line: 3 } })
    expect(await tableNames(session)).toEqual(['public.a'])
  })

  test('lets a block commit by itself with transaction=none', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const block = 'do $$ begin insert into a values (1); commit; insert into a values (2); end $$;'
    const files = (head: string) => ({ '1_a': [`${head}create table a (id int);\n${block}`, 'drop table a;'] }) as const
    const refused = await applyTrack(session, { ...someone, folder: await folderOf(files('')) })
    expect(refused).toMatchObject({ status: 'failed', failed: { sqlState: '2D000' } })
    const report = await applyTrack(session, {
      ...someone,
      folder: await folderOf(files('-- plinth: transaction=none\n')),
    })
    expect(report).toMatchObject({ status: 'succeeded' })
    expect((await session.query('select id from a order by id')).rows).toEqual([{ id: 1 }, { id: 2 }])
  })

  test('brings a column that may not be null back, with its values, statement by statement', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({
      '1_a': ['create table a (id int primary key, n int not null);\ninsert into a values (1, 5);', 'drop table a;'],
      '2_b': [
        'alter table a drop column n;',
        '-- plinth: transaction=statement\nalter table a add column n int not null;\ncomment on column a.n is $$back$$;',
      ],
    })
    await applyTrack(session, { ...someone, folder })
    const report = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(report.error).toBeNull()
    expect((await session.query('select * from a')).rows).toEqual([{ id: 1, n: 5 }])
    expect(await failureOf(session.query('insert into a (id) values (2)'))).toMatchObject({ sqlState: '23502' })
  })

  test('waits as long and as often as the head says', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const heard = listener()
    await withClient(url, async client => {
      await client.query('create table a (id int)')
      await client.query('begin')
      await client.query('lock table a')
      const folder = await folderOf({
        '1_a': ['-- plinth: lock-timeout=20ms retries=2\nalter table a add b int;', 'alter table a drop b;'],
      })
      const report = await applyTrack(session, {
        ...someone,
        folder,
        emit: heard.emit,
        lockTimeoutMs: 60_000,
        lockRetries: 0,
      })
      expect(report).toMatchObject({ status: 'failed', failed: { sqlState: '55P03' } })
      await client.query('rollback')
    })
    expect(heard.of('step.retried').map(fact => fact.attempt)).toEqual([1, 2])
  })

  test('is cancelled by the statement timeout of the head', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': ['-- plinth: statement-timeout=20ms\nselect pg_sleep(60);', ''] })
    const report = await applyTrack(session, { ...someone, folder })
    expect(report.error).toMatchObject({ code: 'STATEMENT_TIMEOUT', sqlState: '57014' })
  })
})

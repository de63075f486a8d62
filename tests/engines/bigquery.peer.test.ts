/** What is BigQuery's own; what every engine does is told by the conformance suite. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { failureOf as problemFailure } from '../../src/engines/bigquery/failure.ts'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import { spell } from '../../src/engines/bigquery/spelling.ts'
import { parseAddress } from '../../src/engines/bigquery/url.ts'
import type { Session } from '../../src/engines/engine.ts'
import { kindOf, splitStatements } from '../../src/sql/googlesql.ts'
import { type Answer, emulator, faulty, urlOf, withoutBigQuery } from '../support/bigquery.ts'
import { accent } from './bigquery-accent.ts'
import { describeEngine, failureOf } from './conformance.ts'

describe('addresses', () => {
  test('project, dataset, region, cap and labels', () => {
    expect(
      parseAddress('bigquery://my-project/main?location=EU&maximumBytesBilled=10GiB&labels=team:data,stage:test'),
    ).toMatchObject({
      project: 'my-project',
      dataset: 'main',
      location: 'EU',
      maximumBytesBilled: '10737418240',
      labels: { team: 'data', stage: 'test' },
    })
  })

  test.each([
    ['no project', 'bigquery://'],
    ['a dataset with a hyphen', 'bigquery://p/my-data'],
    ['a setting that nobody knows', 'bigquery://project/main?region=EU'],
    ['a cap that is no number', 'bigquery://project?maximumBytesBilled=much'],
    ['a label in capitals', 'bigquery://project?labels=Team:data'],
  ])('%s is refused', (_what, url) => {
    expect(() => parseAddress(url)).toThrow(expect.objectContaining({ code: 'DATABASE_URL_INVALID' }))
  })

  test('what is printed names no file', () => {
    expect(bigquery.describe('bigquery://project/main?keyFile=/secret/key.json')).toBe('project/main')
  })
})

describe('GoogleSQL', () => {
  test('statements end at semicolons outside quotes, comments and blocks', () => {
    const script = `select 'it\\'s; "fine"' -- one;\n; # two;\nselect r'\\d;', """three;"""; begin select 1; if true then select 2; end if; end; select case when a then 1 end;`
    expect(splitStatements(script).map(({ text }) => text.slice(0, 11))).toEqual(
      ["select 'it\\", "select r'\\d;'", 'begin select ', 'select case'].map(text => text.slice(0, 11)),
    )
    expect(script.slice(splitStatements(script)[2]?.offset)).toMatch(/^begin select 1;/)
  })

  test.each([
    ['(select 1)', 'query'],
    ['begin transaction', 'begin'],
    ['begin select 1; end', 'scripting'],
    ['create temp table t as select 1', 'scripting'],
    ['create or replace table t as select 1', 'definition'],
    ['declare x int64', 'scripting'],
    ['merge t using s on false when not matched then insert row', 'write'],
  ])('%s is a %s', (text, kind) => {
    expect(kindOf(text)).toBe(kind)
  })

  test("the history's own statements", () => {
    expect(
      spell(
        'create table plinth.runs (id text primary key, rows bigint not null check (rows > 0), at timestamptz, unique (id, at))',
      ),
    ).toBe('create table if not exists plinth.runs (`id` string not null, `rows` int64 not null, `at` timestamp)')
    expect(spell('alter table plinth.runs add column note text')).toBe('alter table plinth.runs add column note string')
    expect(spell('update plinth.runs set rows = $2::bigint, note = $3::json, at = now() where "id" = $1')).toBe(
      'update plinth.runs set `rows` = cast($2 as int64), note = parse_json($3), at = current_timestamp() where `id` = $1',
    )
  })

  test('an error has its place, and shows no value', () => {
    const script = 'select 1;\n  select nowhere\n  from t'
    const sent = { text: 'select nowhere\n  from t', script, offset: 12, statement: 1, address: 'p' }
    const problem = (message: string) => problemFailure({ status: 400, reason: 'invalidQuery', message }, sent)
    expect(problem('Unrecognized name: nowhere at [1:8]')).toMatchObject({
      code: 'SQL_FAILED',
      message: 'Unrecognized name: nowhere.',
      at: { line: 2, column: 10 },
    })
    expect(problem('Syntax error: Unexpected identifier "frm" at [2:3]')).toMatchObject({
      code: 'SQL_SYNTAX',
      at: { line: 3, column: 3 },
    })
    for (const message of [
      'Bad int64 value: my password',
      "Could not cast literal 'my password' to type DATE at [1:8]",
    ])
      expect(JSON.stringify(problem(message))).not.toContain('my password')
  })
})

const server = emulator()

if (withoutBigQuery) test.skip(`every engine: bigquery (${withoutBigQuery})`, () => undefined)
else describeEngine('bigquery', async () => ({ url: server.url() }), accent)

describe.skipIf(withoutBigQuery)('BigQuery', () => {
  test('values come back without loss, also through Parquet', async () => {
    const session = await open(server.url())
    await session.script(`create schema raw;
      create table raw.e (id string not null, moment timestamp, n int64, cost numeric(18, 6), day date, flag bool)
      partition by timestamp_trunc(moment, day) cluster by id options (description = 'Events; all of them.')`)
    await session.query("insert into raw.e (id, moment) values ($1, timestamp '2026-01-01 00:00:00.123456+00')", [
      "it's; \\ \n ž 🐎 `$1`",
    ])
    const source = async function* () {
      yield '"a ""b"", c",2026-01-31T12:00:00.000001Z,9007199254740993,123456789012.345678,2026-02-28,t\n"",,,,,\n'
    }
    const columns = ['text', 'timestamptz', 'bigint', 'numeric(18, 6)', 'date', 'boolean'].map((type, index) => ({
      name: ['id', 'moment', 'n', 'cost', 'day', 'flag'][index] ?? '',
      type,
    }))
    expect(await bigquery.warehouse?.loadCsv(session, { table: 'raw.e', columns, source: source() })).toBe(2)
    const none = { moment: null, n: null, cost: null, day: null, flag: null }
    expect((await session.query('select * from raw.e order by id')).rows).toEqual([
      { ...none, id: '' },
      {
        id: 'a "b", c',
        moment: '2026-01-31T12:00:00.000001Z',
        n: '9007199254740993',
        cost: '123456789012.345678',
        day: '2026-02-28',
        flag: true,
      },
      { ...none, id: "it's; \\ \n ž 🐎 `$1`", moment: '2026-01-01T00:00:00.123456Z' },
    ])
    const { tables, schemas } = await session.introspect()
    expect(schemas.map(({ name }) => name)).toEqual(['raw'])
    expect(tables).toMatchObject([
      {
        name: 'e',
        comment: 'Events; all of them.',
        columns: [{ type: 'STRING', nullable: false }, {}, {}, {}, {}, {}],
      },
    ])
    expect(await bigquery.warehouse?.describe(session, 'select id, n from raw.e')).toEqual(['id', 'n'])
  })

  test('a transaction is one job: what fails in it keeps nothing', async () => {
    const session = await open(server.url())
    await session.script('create table t (n int64); insert into t values (1)')
    await session.query('begin')
    await session.query('insert into t values (2)')
    expect((await session.query('select count(*) as n from t')).rows).toEqual([{ n: '1' }])
    await bigquery.warehouse?.deferred?.assert(session, '(select count(*) from t) = 7', {
      code: 'DIFFERENCES_FOUND',
      message: 'There are not seven.',
    })
    expect(await failureOf(session.query('commit'))).toMatchObject({
      code: 'DIFFERENCES_FOUND',
      message: expect.stringContaining('There are not seven.'),
    })
    expect((await session.query('select n from t')).rows).toEqual([{ n: '1' }])
  })

  test('a busy service is asked again, and says so when it stays busy', async () => {
    let left = 5
    const session = await open(
      urlOf(
        await faulty(server.endpoint, ({ path }) =>
          path.includes('/jobs') && left-- > 0 ? (busy[left % 2] ?? null) : null,
        ),
      ),
    )
    expect((await session.query('select 1 as n')).rows).toEqual([{ n: '1' }])
    expect(left).toBeLessThan(0)
  })

  test.each([
    ['expired credentials', { status: 401, reason: 'authError' }, 'DATABASE_AUTHENTICATION'],
    ['a missing right', { status: 403, reason: 'accessDenied' }, 'PERMISSION_DENIED'],
    ['a quota of the day', { status: 403, reason: 'quotaExceeded' }, 'WAREHOUSE_QUOTA'],
    [
      'the cost cap',
      { status: 400, reason: 'bytesBilledLimitExceeded', message: 'Query exceeded limit for bytes billed: 1000.' },
      'COST_CAP_EXCEEDED',
    ],
  ] as const)('%s has a code of its own', async (_what, answer, code) => {
    const endpoint = await faulty(server.endpoint, ({ path }) => (path.includes('/jobs') ? answer : null))
    const session = await open(urlOf(endpoint))
    expect((await failureOf(session.query('select 1'))).code).toBe(code)
  })

  test('cap, labels, region and job id go with every job', async () => {
    const bodies: string[] = []
    const endpoint = await faulty(server.endpoint, ({ method, path, body }) => {
      if (method === 'POST' && /\/jobs(?:\?|$)/.test(path)) bodies.push(body)
      return null
    })
    const session = await open(urlOf(endpoint, { location: 'EU', maximumBytesBilled: '5GB', labels: 'team:data' }))
    await session.query('select 1')
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({
      configuration: { labels: { team: 'data' }, query: { maximumBytesBilled: '5000000000', useLegacySql: false } },
      jobReference: { location: 'EU', jobId: expect.stringMatching(/^plinth_[0-9a-f]{32}$/) },
    })
  })

  test('a dataset in another region is named, with its region', async () => {
    const url = server.url({ location: 'EU' })
    await open(url)
    const failure = await failureOf(bigquery.open(url.replace('location=EU', 'location=us-east1')))
    expect(failure).toMatchObject({ code: 'DATABASE_UNKNOWN', hint: expect.stringContaining('?location=EU') })
  })
})

const busy: readonly Answer[] = [
  { status: 403, reason: 'rateLimitExceeded' },
  { status: 503, reason: 'backendError' },
]

async function open(url: string): Promise<Session> {
  const session = await bigquery.open(url)
  onTestFinished(() => session.close())
  return session
}

import { describe, expect, test } from 'vitest'
import { type CheckReport, runChecks } from '../../src/analytics/check/check.ts'
import { checkFreshness } from '../../src/analytics/check/freshness.ts'
import { afterRun, emit, failureOf, inMemory, project } from './support/project.ts'

describe('checks', () => {
  const files = (config: string) => ({
    'models/numbers.sql': "{{ config(materialized='table') }} select n, n % 3 as third from range(10) as numbers (n)",
    'models/numbers.yml': `models:\n  - name: numbers\n    columns:\n      - name: third\n        data_tests:\n          - accepted_values:\n              arguments: {values: [0, 1], quote: false}\n              config: ${config}\n`,
  })
  const result = (report: CheckReport) => {
    const [{ status, failures, stored } = { status: null, failures: null, stored: null }] = report.checks
    return { status, failures, stored }
  }

  test.each([
    ['{}', 'failed', 1],
    ['{severity: warn}', 'warned', 1],
    ['{fail_calc: sum(n_records), error_if: "> 3"}', 'warned', 3],
    ['{fail_calc: sum(n_records), error_if: "> 2"}', 'failed', 3],
    ['{fail_calc: sum(n_records), error_if: "> 3", warn_if: "> 5"}', 'passed', 3],
    ['{where: n < 2}', 'passed', 0],
    ['{limit: 1, severity: ERROR}', 'failed', 1],
    ['{enabled: false}', null, null],
  ])('%s', async (config, status, failures) => {
    const from = await project(files(config))
    const report = await afterRun(from, 'select 1', warehouse => runChecks(from, { warehouse, emit }))
    expect(result(report)).toEqual({ status, failures, stored: null })
  })

  test('keep their wrong rows where that is asked for', async () => {
    const from = await project(files('{store_failures: true, schema: wrong, alias: thirds}'))
    const [report, rows] = await afterRun(from, 'select 1', async warehouse => [
      await runChecks(from, { warehouse, emit }),
      (await warehouse.query('select * from analytics_wrong.thirds')).rows,
    ])
    expect(result(report)).toEqual({ status: 'failed', failures: 1, stored: '"analytics_wrong"."thirds"' })
    expect(rows).toEqual([{ value_field: '2', n_records: '3' }])
    const all = await project(files('{severity: warn}'))
    const every = await afterRun(all, 'select 1', warehouse =>
      runChecks(all, { warehouse, emit, storing: 'every check' }),
    )
    expect(result(every).stored).toBe('"analytics_dbt_test__audit"."accepted_values_numbers_third"')
  })

  test('that the warehouse refuses name where they are declared', async () => {
    const from = await project({
      'models/numbers.sql': 'select 1 as n',
      'models/numbers.yml':
        'models:\n  - name: numbers\n    columns:\n      - name: m\n        data_tests: [not_null]\n',
    })
    const report = await afterRun(from, 'select 1', warehouse => runChecks(from, { warehouse, emit }))
    expect(report).toMatchObject({
      status: 'failed',
      checks: [{ status: 'error', error: { at: { file: 'shop/models/numbers.yml', line: 5 } } }],
    })
  })
})

test('freshness tells the age of the newest row against what is allowed', async () => {
  const from = await project({
    'models/s.yml': `sources:
  - name: raw
    loaded_at_field: loaded
    freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 1, period: day}}
    tables:
      - name: fresh
      - name: late
      - name: stale
      - name: unasked
        freshness: null
      - name: empty
      - name: filtered
        freshness: {filter: kind = 'a', warn_after: {count: 1, period: hour}}
      - name: broken
        loaded_at_field: nothing
`,
  })
  const tables = ['fresh', 'late', 'stale', 'unasked', 'empty', 'filtered', 'broken']
  const fill = `create schema raw; ${tables.map(name => `create table raw.${name} (loaded timestamptz, kind varchar)`).join('; ')};
    insert into raw.fresh values (now(), null); insert into raw.late values (now() - interval 2 hours, null);
    insert into raw.stale values (now() - interval 2 days, null);
    insert into raw.filtered values (now(), 'b'), (now() - interval 30 hours, 'a')`
  const report = await inMemory(async warehouse => {
    await warehouse.script(fill)
    return checkFreshness(from, { warehouse, emit })
  })
  expect(report.status).toBe('failed')
  expect(Object.fromEntries(report.sources.map(({ source, status }) => [source, status]))).toEqual({
    'raw.fresh': 'passed',
    'raw.late': 'warned',
    'raw.stale': 'failed',
    'raw.empty': 'failed',
    'raw.filtered': 'warned',
    'raw.broken': 'error',
  })
  expect(report.sources.find(({ source }) => source === 'raw.broken')?.error?.at).toMatchObject({
    file: 'shop/models/s.yml',
    line: 4,
  })
})

describe('contracts', () => {
  const contract = (columns: string) =>
    `models:\n  - name: a\n    config: {contract: {enforced: true}, materialized: table}\n    columns:\n${columns}`

  test.each([
    [
      'another type',
      '      - {name: one, data_type: integer}\n      - {name: two, data_type: date}\n',
      6,
      /promises "two" as date, and "a" answers it as varchar/,
    ],
    [
      'a column that is missing',
      '      - {name: one, data_type: integer}\n      - {name: two, data_type: text}\n      - {name: tree, data_type: text}\n',
      7,
      /"tree"/,
    ],
    [
      'a type that is none',
      '      - {name: one, data_type: integger}\n      - {name: two, data_type: text}\n',
      5,
      /no type "integger"/,
    ],
  ])('%s stops a run at the line that promises it', async (_, columns, line, message) => {
    const from = await project({ 'models/a.sql': "select 1 as one, 'x' as two", 'models/a.yml': contract(columns) })
    const failure = await failureOf(afterRun(from, 'select 1', async () => null))
    expect(failure).toMatchObject({ code: 'TRANSFORM_INVALID', at: { file: 'shop/models/a.yml', line } })
    expect(String(failure)).toMatch(message)
  })

  test('a column too many stops a run at the query', async () => {
    const from = await project({
      'models/a.sql': "select 1 as one, 'x' as two",
      'models/a.yml': contract('      - {name: one, data_type: integer}\n'),
    })
    expect(await failureOf(afterRun(from, 'select 1', async () => null))).toMatchObject({
      message: '"a" answers a column "two", which its contract does not promise.',
      at: { file: 'shop/models/a.sql' },
    })
  })

  test('tables are made as promised, and what they cannot hold is a check', async () => {
    const from = await project({
      'models/a.sql': 'select cast(n % 4 as integer) as one, n as two from range(5) as numbers (n)',
      'models/a.yml': contract(
        '      - name: one\n        data_type: integer\n        constraints: [{type: not_null}, {type: unique}, {type: check, expression: one < 3}]\n      - {name: two, data_type: bigint}\n',
      ),
    })
    const [report, columns] = await afterRun(from, 'select 1', async warehouse => [
      await runChecks(from, { warehouse, emit }),
      (
        await warehouse.query(
          "select column_name as name, is_nullable as nullable from information_schema.columns where table_name = 'a' order by 1",
        )
      ).rows,
    ])
    expect(columns).toEqual([
      { name: 'one', nullable: 'NO' },
      { name: 'two', nullable: 'YES' },
    ])
    expect(report.checks.map(({ check, status, failures }) => `${check} ${status} ${failures}`)).toEqual([
      'contract_check_a_one failed 1',
      'contract_not_null_a_one passed 0',
      'contract_unique_a_one failed 1',
    ])
  })
})

import { describe, expect, test } from 'vitest'
import { type Project } from '../../src/analytics/project/project.ts'
import { runUnitTests } from '../../src/analytics/check/unit-test.ts'
import { emit, inMemory, project } from './support/project.ts'

describe('unit tests', () => {
  const unit = (
    text: string,
    model = "select id, sum(amount) as total from {{ source('raw', 'payments') }} group by id",
  ) =>
    project({
      'models/totals.sql': model,
      'models/s.yml':
        'sources:\n  - name: raw\n    tables:\n      - name: payments\n        columns: [{name: id, data_type: integer}, {name: amount, data_type: "decimal(10, 2)"}]\n',
      'models/u.yml': `unit_tests:\n  - name: adds_up\n    model: totals\n${text}`,
    })
  const run = async (from: Project) => inMemory(scratch => runUnitTests(from, { scratch, emit }))
  const given =
    "    given:\n      - input: source('raw', 'payments')\n        rows: [{id: 1, amount: 2.5}, {id: 1, amount: 1}, {id: 2}, {id: 3, amount: 7}]\n"

  test('show rows that differ, value by value', async () => {
    const report = await run(
      await unit(`${given}    expect:\n      rows: [{id: 1, total: 3.25}, {id: 2, total: null}, {id: 4, total: 1}]\n`),
    )
    expect(report).toMatchObject({
      status: 'failed',
      tests: [{ status: 'failed', file: 'shop/models/u.yml', line: 2, expectedRows: 3, foundRows: 3 }],
    })
    expect(report.tests[0]?.differences).toEqual([
      { kind: 'changed', expected: { id: '1', total: '3.25' }, found: { id: '1', total: '3.50' }, columns: ['total'] },
      { kind: 'missing', expected: { id: '4', total: '1.00' }, found: null, columns: ['id', 'total'] },
      { kind: 'extra', expected: null, found: { id: '3', total: '7.00' }, columns: ['id', 'total'] },
    ])
  })

  test.each([
    [
      'an input that is not given',
      '    given: []\n    expect: {rows: []}\n',
      2,
      /gives no rows for source\('raw', 'payments'\)/,
    ],
    [
      'an input that is not read',
      `${given}      - input: ref('totals')\n        rows: []\n    expect: {rows: []}\n`,
      7,
      /does not read ref\('totals'\)/,
    ],
    [
      'a value of another type',
      `${given.replace('amount: 7', 'amount: seven')}    expect: {rows: []}\n`,
      5,
      /converted/,
    ],
    ['a column that is not answered', `${given}    expect: {rows: [{sum: 1}]}\n`, 7, /"sum"/],
  ])('%s is an error with its line', async (_, text, line, message) => {
    const { tests } = await run(await unit(text))
    expect(tests).toMatchObject([
      { status: 'error', error: { code: 'TRANSFORM_INVALID', at: { file: 'shop/models/u.yml', line } } },
    ])
    expect(String(tests[0]?.error)).toMatch(message)
  })

  test('rows may only name columns that a transform answers', async () => {
    const from = await project({
      'models/base.sql': "select 1 as id, 'x' as name",
      'models/top.sql': "select id from {{ ref('base') }}",
      'models/u.yml':
        "unit_tests:\n  - name: u\n    model: top\n    given:\n      - input: ref('base')\n        rows: [{idd: 1}]\n    expect: {rows: []}\n",
    })
    const { tests } = await run(from)
    expect(tests[0]?.error).toMatchObject({ at: { file: 'shop/models/u.yml', line: 5 }, hint: 'There are id, name.' })
  })

  test('of a query that cannot run name the line of the query', async () => {
    const { tests } = await run(
      await unit(`${given}    expect: {rows: []}\n`, "select id,\n  nothing\nfrom {{ source('raw', 'payments') }}"),
    )
    expect(tests).toMatchObject([{ status: 'error', error: { at: { file: 'shop/models/totals.sql', line: 2 } } }])
  })
})

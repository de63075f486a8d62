/** Stories of somebody who writes transforms: what is there, what it compiles to, whether it is right, and how a warehouse is asked. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { plinth, temporaryFolder } from '../support/cli.ts'

const files = {
  'plinth.yaml': [
    'version: 1',
    'analytics: shop',
    'tracks:',
    '  operational: { migrations: db, database: "postgres://nobody@127.0.0.1:1/none" }',
    '  analytics: { engine: duckdb, migrations: db, database: "duckdb:warehouse.duckdb" }',
    '',
  ].join('\n'),
  'shop/dbt_project.yml': 'name: shop\nvars: {vat: 0.2}\n',
  'shop/models/orders.yml': `sources:
  - name: till
    loaded_at_field: paid_at
    freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 1, period: day}}
    tables:
      - name: receipts
        columns: [{name: id, data_type: integer}, {name: net, data_type: "decimal(10, 2)"}, {name: paid_at, data_type: timestamptz}]
models:
  - name: orders
    columns:
      - name: id
        data_tests: [unique, not_null]
unit_tests:
  - name: tax_is_added
    model: orders
    given:
      - input: source('till', 'receipts')
        rows: [{id: 1, net: 10}, {id: 2, net: 5}]
    expect:
      rows: [{id: 1, gross: 12}, {id: 2, gross: 6}]
`,
  'shop/models/orders.sql':
    "{{ config(materialized='table') }}\nselect id, cast(net * (1 + {{ var('vat') }}) as decimal(10, 2)) as gross\nfrom {{ source('till', 'receipts') }}\n",
}

const story = () => {
  const cwd = temporaryFolder(files)
  return { cwd, run: (...args: string[]) => plinth(args, { cwd }) }
}

describe('without a database', () => {
  test('a project is listed, drawn and compiled', async () => {
    const { cwd, run } = story()
    const listed = await run('rollup', 'list', '--select', 'source:till+', '--resource-type', 'model', '--json')
    expect(listed.json.data.nodes).toEqual([
      expect.objectContaining({ id: 'model.orders', materialized: 'table', parents: ['source.till.receipts'] }),
    ])
    expect((await run('rollup', 'list', '--format', 'mermaid')).stdout).toContain('n0 --> n1')
    const compiled = await run('rollup', 'compile', '--resource-type', 'model', '--vars', '{vat: 0.07}')
    expect(compiled.stdout).toContain('net * (1 + 0.07)')
    expect(compiled.stdout).toContain('"till"."receipts"')
    const elsewhere = await run('rollup', 'compile', '--engine', 'bigquery', '--output', 'target')
    expect(elsewhere.status).toBe(0)
    expect(readFileSync(join(cwd, 'target/shop/models/orders.sql'), 'utf8')).toContain('`till`.`receipts`')
    expect(existsSync(join(cwd, 'warehouse.duckdb'))).toBe(false)
  })

  test('unit tests pass, and show what differs row by row', async () => {
    const { run } = story()
    expect(await run('check', '--unit')).toMatchObject({ status: 0, stdout: expect.stringContaining('1 of 1 passed') })
    const failed = await run('check', '--unit', '--vars', '{vat: 0.4}')
    expect(failed.status).toBe(3)
    expect(failed.stdout).toContain('tax_is_added (orders)')
    expect(failed.stdout).toContain('shop/models/orders.yml:14')
    expect(failed.stdout).toMatch(/~ +1 +12\.00 → 14\.00/)
  })

  test('a mistake in the words is told', async () => {
    const { run } = story()
    expect(await run('rollup', 'list', '--select', 'order', '--json')).toMatchObject({
      status: 2,
      json: { error: { code: 'USAGE', hint: 'Did you mean "orders"?' } },
    })
    expect(await run('check', '--unit', '--vars', 'vat', '--json')).toMatchObject({
      status: 2,
      json: { error: { code: 'USAGE' } },
    })
  })
})

test('a warehouse is built, checked and asked how fresh it is', async () => {
  const { cwd, run } = story()
  await withSession(duckdb, `duckdb:${join(cwd, 'warehouse.duckdb')}`, {}, session =>
    session.script(
      `create schema till; create table till.receipts (id integer, net decimal(10, 2), paid_at timestamptz);
       insert into till.receipts values (1, 10, now() - interval 2 hours), (1, 5, now() - interval 3 hours)`,
    ),
  )
  const built = await run('rollup', 'run', '--json')
  expect(built.json.data.others).toEqual({ 'analytics.orders': 2 })
  const checked = await run('check', '--select', 'orders', '--store-failures')
  expect(checked.status).toBe(3)
  expect(checked.stdout).toMatch(/failed +unique_orders_id +1 rows +"analytics_dbt_test__audit"\."unique_orders_id"/)
  expect(checked.stdout).toContain('1 of 2 passed')
  const fresh = await run('check', '--freshness', '--json')
  expect(fresh).toMatchObject({
    status: 0,
    json: { data: { status: 'warned', sources: [{ source: 'till.receipts', status: 'warned' }] } },
  })
})

import { describe, expect, test } from 'vitest'
import { mermaid, nodesOf } from '../../src/analytics/project/nodes.ts'
import { selectNodes } from '../../src/analytics/project/select.ts'
import { project } from './support/project.ts'

describe('selection', () => {
  const shop = () =>
    project({
      'models/sources.yml':
        'sources:\n  - name: raw\n    tables:\n      - name: orders\n        columns:\n          - name: id\n            tests: [not_null]\n',
      'models/staging/stg_orders.sql': "{{ config(tags=['staging']) }} select * from {{ source('raw', 'orders') }}",
      'models/middle.sql': "{{ config(materialized='ephemeral') }} select * from {{ ref('stg_orders') }}",
      'models/marts/orders.sql':
        "{{ config(materialized='table', tags=['nightly', 'finance']) }} select * from {{ ref('middle') }}",
      'models/marts/items.sql': "{{ config(tags=['nightly']) }} select * from {{ ref('stg_orders') }}",
      'models/marts/marts.yml':
        "models:\n  - name: orders\n    columns:\n      - name: id\n        tests: [unique]\nunit_tests:\n  - name: orders_add_up\n    model: orders\n    given: [{input: ref('middle')}]\n    expect: {rows: []}\n",
      'tests/orders_have_items.sql':
        "select * from {{ ref('orders') }} where not exists (select 1 from {{ ref('items') }})",
      'analyses/top.sql': "select * from {{ ref('orders') }}",
    })

  test.each([
    ['orders', 'orders unique_orders_id orders_have_items orders_add_up'],
    ['+orders', 'stg_orders middle orders', 'model'],
    ['1+orders', 'middle orders', 'model'],
    ['stg_orders+', 'stg_orders items middle orders', 'model'],
    ['stg_orders+1', 'stg_orders items middle', 'model'],
    // A check looks at both, so that what it needs is selected with it.
    ['@items', 'stg_orders middle items orders', 'model'],
    ['tag:nightly', 'items orders', 'model'],
    ['tag:nightly,tag:finance', 'orders', 'model'],
    ['tag:finance tag:staging', 'stg_orders orders', 'model'],
    ['path:models/marts', 'items orders', 'model'],
    ['models/staging/stg_orders.sql', 'stg_orders', 'model'],
    ['stg_orders.sql', 'stg_orders', 'model'],
    ['staging', 'stg_orders', 'model'],
    ['shop.marts.*', 'items orders', 'model'],
    ['source:raw', 'raw.orders not_null_raw_orders_id'],
    ['source:raw.orders+', 'stg_orders items middle orders', 'model'],
    ['config.materialized:table', 'orders', 'model'],
    ['test_type:singular', 'orders_have_items'],
    ['test_type:unit', 'orders_add_up'],
    ['test_name:unique', 'unique_orders_id'],
    ['resource_type:analysis', 'top'],
    ['*.o*s', 'orders', 'model'],
  ])('%s', async (select, expected, types = '') => {
    const nodes = selectNodes(nodesOf(await shop()), { select, types })
    expect(nodes.map(({ name }) => name).sort()).toEqual(expected.split(' ').sort())
  })

  test('leaves out what is excluded, and says what answers nothing', async () => {
    const nodes = nodesOf(await shop())
    const names = selectNodes(nodes, { types: 'model', exclude: '+orders' }).map(({ name }) => name)
    expect(names).toEqual(['items'])
    expect(() => selectNodes(nodes, { select: '+order' })).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'Did you mean "orders"?' }),
    )
    expect(() => selectNodes(nodes, { select: 'state:modified' })).toThrow(/state.*not supported/)
    const said = (hint: RegExp) =>
      expect.objectContaining({ code: 'USAGE', hint: expect.stringMatching(hint) as string })
    expect(() => selectNodes(nodes, { select: 'source:a.b.c.d' })).toThrow(said(/package\.group\.table/))
    expect(() => selectNodes(nodes, { select: 'exposure:a.b.c' })).toThrow(said(/package\.name/))
    expect(() => selectNodes(nodes, { select: '@orders+' })).toThrow(said(/@orders/))
    expect(() => selectNodes(nodes, { select: 'resource_type:modle' })).toThrow(said(/model, seed/))
    expect(() => selectNodes(nodes, { select: 'version:second' })).toThrow(said(/latest, old/))
    expect(() => selectNodes(nodes, { select: 'selector:nightly' })).toThrow(said(/selectors\.yml/))
    expect(() => selectNodes(nodes, { types: 'modle' })).toThrow(said(/model, seed/))
  })

  test('knows checks by the names that dbt gives them as well', async () => {
    const named = await project({
      'models/sources.yml':
        'sources: [{name: raw, tables: [{name: orders, columns: [{name: id, data_tests: [not_null]}]}]}]',
      'models/orders.sql': "select * from {{ source('raw', 'orders') }}",
      'models/orders.yml': `models:
  - name: orders
    columns:
      - name: state
        data_tests:
          - accepted_values: {values: [in transit, 2, true, null], quote: false, config: {severity: warn}}
          - relationships: {to: "source('raw', 'orders')", field: id}`,
    })
    const nodes = nodesOf(named)
    expect(nodes.filter(({ kind }) => kind === 'test').map(({ address }) => address.at(-1))).toEqual([
      'accepted_values_orders_state__False__in_transit__2__True__None',
      'source_not_null_raw_orders_id',
      'relationships_orders_state__id__source_raw_orders_',
    ])
    const select = 'source_not_null_raw_orders_id not_null_raw_orders_id'
    expect(selectNodes(nodes, { select }).map(({ name }) => name)).toEqual(['not_null_raw_orders_id'])
  })

  test('is drawn', async () => {
    const nodes = selectNodes(nodesOf(await shop()), { select: '+middle' })
    expect(mermaid(nodes)).toBe(
      [
        'flowchart LR',
        '  n0[("raw.orders")]',
        '  n1(["stg_orders"])',
        '  n2(["middle"])',
        '  n0 --> n1',
        '  n1 --> n2',
      ].join('\n'),
    )
  })
})

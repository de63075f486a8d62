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
    ['+orders,resource_type:model', 'stg_orders middle orders'],
    ['1+orders,resource_type:model', 'middle orders'],
    ['stg_orders+,resource_type:model', 'stg_orders items middle orders'],
    ['stg_orders+1,resource_type:model', 'stg_orders items middle'],
    // A check looks at both, so that what it needs is selected with it.
    ['@items,resource_type:model', 'stg_orders middle items orders'],
    ['tag:nightly,resource_type:model', 'items orders'],
    ['tag:nightly,tag:finance,resource_type:model', 'orders'],
    ['tag:finance,resource_type:model tag:staging,resource_type:model', 'stg_orders orders'],
    ['path:models/marts,resource_type:model', 'items orders'],
    ['models/staging/stg_orders.sql,resource_type:model', 'stg_orders'],
    ['stg_orders.sql,resource_type:model', 'stg_orders'],
    ['staging,resource_type:model', 'stg_orders'],
    ['shop.marts.*,resource_type:model', 'items orders'],
    ['source:raw', 'raw.orders not_null_raw_orders_id'],
    ['source:raw.orders+,resource_type:model', 'stg_orders items middle orders'],
    ['config.materialized:table,resource_type:model', 'orders'],
    ['test_type:singular', 'orders_have_items'],
    ['test_type:unit', 'orders_add_up'],
    ['test_name:unique', 'unique_orders_id'],
    ['resource_type:analysis', 'top'],
    ['o*s,resource_type:model', 'orders'],
  ])('%s', async (select, expected) => {
    const nodes = selectNodes(nodesOf(await shop()), { select })
    expect(nodes.map(({ name }) => name).sort()).toEqual(expected.split(' ').sort())
  })

  test('leaves out what is excluded, and says what answers nothing', async () => {
    const nodes = nodesOf(await shop())
    const names = selectNodes(nodes, { select: 'resource_type:model', exclude: '+orders' }).map(({ name }) => name)
    expect(names).toEqual(['items'])
    expect(() => selectNodes(nodes, { select: '+order' })).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'Did you mean "orders"?' }),
    )
    expect(() => selectNodes(nodes, { select: 'state:modified' })).toThrow(/state:.*not supported/)
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

import { describe, expect, test } from 'vitest'
import { type LoadOptions } from '../../src/analytics/project/load.ts'
import { afterRun, compiled, failureOf, project } from './support/project.ts'

describe('settings', () => {
  const tree = `name: shop
models:
  +tags: [all]
  shop:
    +materialized: table
    +meta: {team: core, tier: 1}
    staging:
      +materialized: view
      +schema: staging
      +tags: staging
`

  test('the deeper folder, then the properties, then the file decide; tags add up and meta is merged', async () => {
    const { transforms } = await project({
      'dbt_project.yml': tree,
      'models/a.sql': 'select 1 as one',
      'models/staging/b.sql': 'select 1 as one',
      'models/staging/c.sql': "{{ config(materialized='table', tags=['own'], meta={'tier': 3}) }} select 1 as one",
      'models/staging/c.yml':
        "models:\n  - name: c\n    config: {materialized: view, tags: yaml, meta: {team: finance}, schema: \"{{ 'a' ~ 'b' }}\"}\n",
    })
    expect(
      transforms.map(({ name, schema, materialized, tags, config }) => ({
        name,
        schema,
        materialized,
        tags,
        meta: config['meta'],
      })),
    ).toEqual([
      { name: 'a', schema: 'analytics', materialized: 'table', tags: ['all'], meta: { team: 'core', tier: 1 } },
      {
        name: 'b',
        schema: 'analytics_staging',
        materialized: 'view',
        tags: ['all', 'staging'],
        meta: { team: 'core', tier: 1 },
      },
      {
        name: 'c',
        schema: 'analytics_ab',
        materialized: 'table',
        tags: ['all', 'staging', 'yaml', 'own'],
        meta: { team: 'finance', tier: 3 },
      },
    ])
  })

  test('a macro of the project names schemas', async () => {
    const { transforms } = await project({
      'dbt_project.yml': tree,
      'models/staging/b.sql': 'select 1 as one',
      'macros/schema.sql':
        '{% macro generate_schema_name(custom_schema_name, node) %}{{ target.name }}_{{ custom_schema_name }}_{{ node.name }}{% endmacro %}',
    })
    expect(transforms.map(({ schema }) => schema)).toEqual(['plinth_staging_b'])
  })

  test('variables of the command line come before those of the project, and those before all', async () => {
    const files = {
      'dbt_project.yml': 'name: shop\nvars: {a: 1, b: 1, c: 1}\n'.replace('c: 1}', 'c: 1, shop: {b: 2, c: 2}}'),
      'models/a.sql': "select {{ var('a') }}, {{ var('b') }}, {{ var('c') }}, {{ var('d', 4) }}",
    }
    expect(await compiled(await project(files, { variables: { c: 3 } }), 'model.a')).toBe('select 1, 2, 3, 4')
  })
})

describe('words of dbt', () => {
  const words = async (sql: string, options: Partial<LoadOptions> = {}, files: Record<string, string> = {}) =>
    compiled(await project({ 'models/a.sql': sql, ...files }, options), 'model.a')

  test.each([
    ["{{ dbt.date_trunc('month', 'at') }}", "date_trunc('month', at)"],
    ["{{ dateadd('day', 3, 'at') }}", '(at + (3) * interval 1 day)'],
    ["{{ dbt.datediff('a', 'b', 'hour') }}", "date_diff('hour', cast(a as timestamp), cast(b as timestamp))"],
    [
      "{{ dbt.safe_cast('a', api.Column.translate_type('string') if false else type_string()) }}",
      'try_cast(a as varchar)',
    ],
    ["{{ dbt.concat(['a', \"'-'\", 'b']) }}", "a || '-' || b"],
    ["{{ env_var('REGION') }} {{ env_var('ELSEWHERE', 'none') }}", 'eu none'],
    ['{{ target.name }} {{ target.schema }} {{ target.type }}', 'production analytics duckdb'],
    ['{{ this }} {{ this.schema }} {{ this.name }} {{ model.name }}', '"analytics"."a" analytics a a'],
    ["{{ run_started_at.strftime('%Y-%m-%d %H:%M') }} {{ invocation_id }}", '2026-03-04 05:06 a run'],
    ["{{ log('x', info=true) }}{{ shop.twice(2) }} {% if execute %}yes{% endif %}", '4 yes'],
    ["{% for x in letters() if x != 'b' %}{{ x }}{{ ', ' if not loop.last }}{% endfor %}", 'a, c'],
    ["{{ '%s-%02d' % ('a', 5) }} {{ '{}/{x}'.format('a', x=1) }} {{ '-'.join(['a', 'b']) }}", 'a-05 a/1 a-b'],
    ["{{ ['a', 'b'] | map('upper') | join('+') }} {{ [1, 2] | sum }} {{ [3, 1] | min }}", 'A+B 3 1'],
    ["{% set ns = {'a': 1} %}{% do ns.update({'b': 2}) %}{{ ns.b }}", '2'],
  ])('%s', async (sql, expected) => {
    const macros =
      '{% macro twice(n) %}{{ n * 2 }}{% endmacro %}{% macro letters() %}{{ return(["a", "b", "c"]) }}{% endmacro %}'
    const surroundings = {
      target: 'production',
      environment: { REGION: 'eu' },
      moment: { startedAt: '2026-03-04T05:06:07.000Z', runId: 'a run' },
    }
    expect(await words(sql, { surroundings }, { 'macros/m.sql': macros })).toBe(expected)
  })

  test('another engine is spoken to in its words', async () => {
    const from = await project({ 'models/a.sql': "select {{ dbt.date_trunc('month', 'at') }}, {{ type_string() }}" })
    expect(await compiled(from, 'model.a', 'bigquery')).toBe(
      'select timestamp_trunc(cast(at as timestamp), month), string',
    )
  })

  test('ephemeral transforms are a part of the query, and an error in one names its own line', async () => {
    const files = {
      'models/inner.sql': "{{ config(materialized='ephemeral') }}\nselect\n  1 as one,\n  missing_column as two",
      'models/middle.sql': "{{ config(materialized='ephemeral') }} select * from {{ ref('inner') }}",
      'models/outer.sql': "with mine as (select * from {{ ref('middle') }})\nselect * from mine",
    }
    const from = await project(files)
    expect(await compiled(from, 'model.outer')).toBe(
      'with __dbt__cte__inner as ( select 1 as one, missing_column as two ), __dbt__cte__middle as ( select * from __dbt__cte__inner ) select * from ( with mine as (select * from __dbt__cte__middle) select * from mine ) as result',
    )
    expect(from.transforms.map(({ name }) => name)).toEqual(['outer'])
    expect(await failureOf(afterRun(from, 'select 1', async () => null))).toMatchObject({
      code: 'TRANSFORM_INVALID',
      at: { file: 'shop/models/inner.sql', line: 4 },
    })
  })
})

describe('what is not supported says where it stands and what is', () => {
  const model = { 'models/a.sql': 'select 1 as one' }
  test.each<[string, Record<string, string>, string, number, RegExp, RegExp]>([
    [
      'an unknown setting',
      { 'models/a.sql': "{{ config(materialised='table') }} select 1" },
      'models/a.sql',
      1,
      /materialised/,
      /materialized/,
    ],
    [
      'an unknown key',
      { ...model, 'models/a.yml': 'models:\n  - name: a\n    colums: []\n    columnz: [{name: x}]\n' },
      'models/a.yml',
      4,
      /columnz/,
      /columns/,
    ],
    [
      'a transform in Python',
      { ...model, 'models/b.py': 'def model(dbt, session): pass' },
      'models/b.py',
      1,
      /Python/,
      /SQL/,
    ],
    [
      'a strategy that is none',
      {
        'models/a.sql': "\n{{ config(materialized='incremental', incremental_strategy='insert_overwrite') }} select 1",
      },
      'models/a.sql',
      2,
      /insert_overwrite/,
      /delete\+insert/,
    ],
    [
      'a snapshot without a key',
      {
        'snapshots/s.sql':
          "{% snapshot s %}\n{{ config(strategy='check', check_cols='all') }}\nselect 1 as one\n{% endsnapshot %}",
      },
      'snapshots/s.sql',
      1,
      /unique_key/,
      /./,
    ],
    [
      'a transform of a package that has the name of another',
      {
        ...model,
        'dbt_packages/more/dbt_project.yml': 'name: more\n',
        'dbt_packages/more/models/a.sql': 'select 1',
      },
      'models/a.sql',
      1,
      /two transforms named "a"/,
      /dbt_packages\/more\/models\/a\.sql/,
    ],
    [
      'cells on a snapshot',
      {
        'snapshots/s.sql':
          "{% snapshot s %}{{ config(unique_key='one', strategy='check', check_cols='all') }} select 1 as one{% endsnapshot %}",
        'models/a.sql':
          "{{ config(materialized='incremental', meta={'plinth': {'bucket': 'b', 'grain': 'hour', 'shard': 's'}}) }}\nselect * from {{ ref('s') }}",
      },
      'models/a.sql',
      1,
      /snapshot/,
      /meta\.plinth/,
    ],
    [
      'another name of cells',
      {
        'models/a.sql':
          "\n{{ config(alias='b', materialized='incremental', meta={'plinth': {'bucket': 'b', 'grain': 'hour', 'shard': 's'}}) }}\nselect 1",
      },
      'models/a.sql',
      2,
      /another name/,
      /b\.sql/,
    ],
    [
      'a package',
      { ...model, 'packages.yml': 'packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.3.0\n' },
      'packages.yml',
      2,
      /not installed/,
      /dbt deps/,
    ],
    [
      'a macro of a package',
      { 'models/a.sql': "select\n{{ dbt_utils.star(ref('a')) }}" },
      'models/a.sql',
      2,
      /dbt_utils/,
      /dbt deps/,
    ],
    [
      'a test of a package',
      {
        ...model,
        'models/a.yml':
          'models:\n  - name: a\n    tests:\n      - dbt_utils.equal_rowcount:\n          compare_model: x\n',
      },
      'models/a.yml',
      4,
      /equal_rowcount/,
      /\{% test equal_rowcount/,
    ],
    [
      'an unknown cross-database macro',
      { 'models/a.sql': "select\n{{ dbt.dateadds('day', 1, 'x') }}" },
      'models/a.sql',
      2,
      /dateadds/,
      /dateadd/,
    ],
    [
      'a statement that is none',
      { 'models/a.sql': '{% materialization x %}{% endmaterialization %}' },
      'models/a.sql',
      1,
      /materialization/,
      /Supported/,
    ],
    [
      'a version',
      { 'models/a.sql': 'select 1', 'models/b.sql': "select * from\n{{ ref('a', v=2) }}" },
      'models/b.sql',
      2,
      /version/,
      /./,
    ],
    [
      'another package',
      { 'models/a.sql': 'select 1', 'models/b.sql': "select * from\n{{ ref('other', 'a') }}" },
      'models/b.sql',
      2,
      /other/,
      /./,
    ],
    ['a secret', { 'models/a.sql': "select '{{ env_var('API_TOKEN') }}'" }, 'models/a.sql', 1, /secret/, /printed/],
    [
      'a text that is not documented',
      { ...model, 'models/a.yml': 'models:\n  - name: a\n    description: "{{ doc(\'x\') }}"\n' },
      'models/a.yml',
      3,
      /"x"/,
      /docs x/,
    ],
    [
      "an error of one's own",
      { 'models/a.sql': "\n{{ exceptions.raise_compiler_error('not today') }}" },
      'models/a.sql',
      2,
      /not today/,
      /./,
    ],
    [
      'a condition that is none',
      {
        ...model,
        'models/a.yml':
          'models:\n  - name: a\n    columns:\n      - name: one\n        tests:\n          - not_null: {config: {warn_if: "; drop"}}\n',
      },
      'models/a.yml',
      6,
      /warn_if/,
      /comparison/,
    ],
    [
      'freshness without a column',
      {
        ...model,
        'models/s.yml':
          'sources:\n  - name: s\n    tables:\n      - name: t\n        freshness: {warn_after: {count: 1, period: hour}}\n',
      },
      'models/s.yml',
      5,
      /by which column/,
      /loaded_at_field/,
    ],
    [
      'a contract without types',
      {
        ...model,
        'models/a.yml':
          'models:\n  - name: a\n    config: {contract: {enforced: true}}\n    columns:\n      - name: one\n',
      },
      'models/a.yml',
      5,
      /data_type/,
      /./,
    ],
    [
      'what differs from run to run in cells',
      {
        'models/a.sql':
          "{{ config(materialized='incremental', meta={'plinth': {'bucket': 'b', 'grain': 'hour', 'shard': 's'}}) }}\nselect '{{ run_started_at }}'",
      },
      'models/a.sql',
      2,
      /run to run/,
      /run_started_at/,
    ],
    [
      'a reference to what is switched off',
      { 'models/a.sql': '{{ config(enabled=false) }} select 1', 'models/b.sql': "select *\nfrom {{ ref('a') }}" },
      'models/b.sql',
      2,
      /switched off/,
      /./,
    ],
    [
      'a fixture that is not there',
      {
        ...model,
        'models/a.yml': 'unit_tests:\n  - name: u\n    model: a\n    expect:\n      format: csv\n      fixture: f\n',
      },
      'models/a.yml',
      4,
      /f\.csv/,
      /none/,
    ],
  ])('%s', async (_, files, file, line, message, hint) => {
    const failure = await failureOf(project(files))
    expect(failure).toMatchObject({ code: 'TRANSFORM_INVALID', at: { file: `shop/${file}`, line } })
    expect(String(failure)).toMatch(message)
    if (hint.source !== '.') expect(failure).toHaveProperty('hint', expect.stringMatching(hint))
  })
})

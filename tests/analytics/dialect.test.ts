import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type CheckReport, runChecks } from '../../src/analytics/check.ts'
import { compileProject } from '../../src/analytics/compiled.ts'
import { checkFreshness } from '../../src/analytics/freshness.ts'
import { loadProject, type LoadOptions } from '../../src/analytics/load.ts'
import { mermaid, nodesOf } from '../../src/analytics/nodes.ts'
import type { Project } from '../../src/analytics/project.ts'
import { runRollup } from '../../src/analytics/run.ts'
import { selectNodes } from '../../src/analytics/select.ts'
import { runUnitTests } from '../../src/analytics/unit-test.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'

const emit = () => undefined

/** A project of these files, beside a `dbt_project.yml` unless they bring one. */
async function project(files: Record<string, string>, options: Partial<LoadOptions> = {}): Promise<Project> {
  const root = mkdtempSync(join(tmpdir(), 'plinth-dialect-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const all = { 'dbt_project.yml': 'name: shop\n', ...files }
  for (const [path, text] of Object.entries(all)) {
    const file = join(root, 'shop', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return loadProject(join(root, 'shop'), { root, ...options })
}

function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

async function compiled(from: Project, id: string, engine = 'duckdb'): Promise<string> {
  const [file] = await compileProject(from, { engine, select: new Set([id]) })
  return file?.sql.trim().replace(/\s+/g, ' ') ?? ''
}

const inMemory = <T>(work: (session: Session) => Promise<T>) => withSession(duckdb, 'duckdb::memory:', {}, work)

/** What a run into a new file makes, and what is asked of it then. */
async function afterRun<T>(from: Project, before: string, work: (session: Session) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-dialect-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const url = `duckdb:${join(folder, 'warehouse.duckdb')}`
  await withSession(duckdb, url, {}, session => session.script(before))
  await runRollup(from, {
    source: { engine: postgres, url: 'postgres://nobody.invalid/none' },
    warehouse: { engine: duckdb, url },
    emit,
    runId: 'run',
    owner: 'a test',
  })
  return withSession(duckdb, url, {}, work)
}

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
      'a hook in a file',
      { 'models/a.sql': "select 1\n{{ config(post_hook='vacuum') }}" },
      'models/a.sql',
      2,
      /post_hook/,
      /migration/,
    ],
    [
      'a hook of a folder',
      { ...model, 'dbt_project.yml': 'name: shop\nmodels:\n  shop:\n    +pre-hook: select 1\n' },
      'dbt_project.yml',
      4,
      /pre_hook/,
      /Hooks/,
    ],
    [
      'a hook of a run',
      { ...model, 'dbt_project.yml': 'name: shop\non-run-start: select 1\n' },
      'dbt_project.yml',
      2,
      /on-run-start/,
      /Hooks/,
    ],
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
      'a snapshot',
      { ...model, 'snapshots/s.sql': '{% snapshot s %}select 1{% endsnapshot %}' },
      'snapshots/s.sql',
      1,
      /Snapshots/,
      /incremental, table, view, ephemeral/,
    ],
    ['a seed', { ...model, 'seeds/s.csv': 'a\n1' }, 'seeds/s.csv', 1, /Seeds/, /migration/],
    [
      'a package',
      { ...model, 'packages.yml': 'packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.3.0\n' },
      'packages.yml',
      1,
      /Packages/,
      /macros/,
    ],
    [
      'a macro of a package',
      { 'models/a.sql': "select\n{{ dbt_utils.star(ref('a')) }}" },
      'models/a.sql',
      2,
      /dbt_utils/,
      /Packages/,
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
      'asking the warehouse',
      { 'models/a.sql': "{% set x = run_query('select 1') %}\nselect 1" },
      'models/a.sql',
      1,
      /run_query/,
      /while they are compiled/,
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
    ['an alias', { 'models/a.sql': "{{ config(alias='b') }} select 1" }, 'models/a.sql', 1, /alias/, /b\.sql/],
    [
      'the semantic layer',
      { ...model, 'models/m.yml': 'metrics:\n  - name: x\n' },
      'models/m.yml',
      1,
      /metrics/,
      /transform/,
    ],
    [
      'a description of nothing',
      { ...model, 'models/a.yml': 'models:\n  - name: aa\n' },
      'models/a.yml',
      2,
      /aa/,
      /"a"/,
    ],
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

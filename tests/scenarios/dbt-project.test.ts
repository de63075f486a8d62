/** Stories of somebody who has a dbt project and no configuration of ours: dbt's own files are enough. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'

const files = {
  'dbt_project.yml': `name: bakery
profile: bakery
version: '1.0'
vars: {least: 2, flour: {least: 0}}
models:
  bakery: {+materialized: table}
  flour: {+schema: raw_goods, +tags: [bought], extra: {+enabled: false}}
`,
  'profiles.yml': `bakery:
  target: "{{ env_var('BAKERY_TARGET', 'dev') }}"
  outputs:
    dev: {type: duckdb, path: bakery.duckdb, schema: oven, settings: {default_null_order: nulls_first}}
    shop: {type: duckdb, path: shop.duckdb}
    cloud: {type: snowflake, account: nobody, schema: till, password: "{{ env_var('NOT_SET') }}"}
`,
  'selectors.yml': `selectors:
  - name: bread
    definition:
      union:
        - method: fqn
          value: loaves
          parents: true
        - exclude: [{method: resource_type, value: test}]
  - name: counted
    definition: {intersection: [{tag: shelf}, 'config.materialized:table']}
`,
  'packages.yml': 'packages:\n  - local: flour\n',
  'seeds/sold.csv': 'id,what,pieces\n1,rye,3\n2,spelt,1\n3,rye,2\n',
  'models/loaves.sql': `{{ config(tags=['shelf']) }}
select s.what, sum(s.pieces) as pieces, max(k.grams) as grams
from {{ ref('sold') }} as s join {{ ref('flour', 'kinds') }} as k using (what)
group by s.what having count(*) >= {{ var('least') }}
`,
  'models/till.sql': "{{ config(materialized='view', tags=['shelf']) }}\nselect * from {{ ref('loaves') }}\n",
  'models/models.yml': `models:
  - name: loaves
    columns:
      - name: what
        data_tests: [unique, flour.is_known]
exposures:
  - name: price_board
    type: dashboard
    depends_on: [ref('till')]
`,
  'flour/dbt_project.yml': `name: flour
version: '1.0'
vars: {least: 1, unit: grams}
on-run-start: "create table if not exists {{ target.schema }}.deliveries (at_least int)"
on-run-end: "insert into {{ target.schema }}.deliveries values ({{ var('least') }})"
`,
  'flour/seeds/mills.csv': 'what,amount\nrye,500\nspelt,750\n',
  'flour/models/kinds.sql': `select what, amount as {{ unit_of() }} from {{ ref('mills') }} where amount > {{ var('least') }}\n`,
  'flour/models/extra/broken.sql': 'select * from {{ ref("nowhere") }}\n',
  'flour/models/kinds.yml': 'models:\n  - name: kinds\n    columns: [{name: what, data_tests: [not_null]}]\n',
  'flour/macros/units.sql': `{% macro unit_of() %}{{ var('unit') }}{% endmacro %}
{% test is_known(model, column_name) %}
select * from {{ model }} where {{ column_name }} not in (select what from {{ ref('kinds') }})
{% endtest %}
`,
}

function story(more: Readonly<Record<string, string>> = {}) {
  const cwd = temporaryFolder({ ...files, ...more })
  return {
    cwd,
    run: (...args: string[]) => plinth(args, { cwd, env: { HOME: cwd } }),
    from: (folder: string, ...args: string[]) => plinth(args, { cwd: folder, env: { HOME: cwd } }),
  }
}

test('it runs as it stands, with the models of its packages, where its profile says', async () => {
  const { cwd, run, from } = story()
  const plan = await run('rollup', 'plan')
  expect(plan.status).toBe(3)
  expect(plan.stdout).toMatch(/oven\.sold\s+load file\s+there is no table yet/)
  expect(plan.stdout).toMatch(/oven_raw_goods\.kinds\s+make view/)

  const ran = await run('rollup', 'run')
  expect([ran.status, ran.stderr]).toEqual([0, ''])
  expect(ran.stdout).toContain('3 rows in oven.sold')
  expect(ran.stdout).toContain('1 row in oven.loaves')
  expect(ran.stdout).toContain('bakery.duckdb')
  expect(existsSync(join(cwd, 'bakery.duckdb'))).toBe(true)
  expect(existsSync(join(cwd, '.plinth'))).toBe(false)

  const compiled = await run('rollup', 'compile', '--select', 'kinds', 'loaves')
  expect(compiled.stdout).toContain('-- flour/models/kinds.sql')
  expect(compiled.stdout).toContain('amount as grams')
  expect(compiled.stdout).toContain('amount > 0')
  expect(compiled.stdout).toContain('"oven_raw_goods"."kinds"')

  const checked = await run('check', '--json')
  expect(checked.json.data.checks.map((one: { check: string; status: string }) => [one.check, one.status])).toEqual([
    ['flour_is_known_loaves_what', 'passed'],
    ['not_null_kinds_what', 'passed'],
    ['unique_loaves_what', 'passed'],
  ])
  const status = await run('rollup', 'status')
  expect(status.stdout).toMatch(/oven\.loaves\s+1 row/)
  expect(status.stdout).toContain('3 checks')

  // From another folder, with another target, whose schema is dbt's default.
  mkdirSync(join(cwd, 'elsewhere'))
  const shop = await from(join(cwd, 'elsewhere'), 'rollup', 'run', '--project-dir', '..', '--target', 'shop')
  expect([shop.status, shop.stderr]).toEqual([0, ''])
  expect(shop.stdout).toContain('1 row in main.loaves')
})

test('parts are chosen as dbt chooses them', async () => {
  const { run } = story()
  const names = async (...args: string[]) => {
    const listed = await run('rollup', 'list', '--json', ...args)
    return listed.json.data?.nodes.map((node: { name: string }) => node.name) ?? listed.json.error
  }
  expect(await names('--selector', 'bread')).toEqual(['mills', 'sold', 'kinds', 'loaves'])
  expect(await names('--selector', 'counted')).toEqual(['loaves', 'flour_is_known_loaves_what', 'unique_loaves_what'])
  expect(await names('-s', 'package:flour', 'till', '--resource-type', 'model', 'exposure')).toEqual(['kinds', 'till'])
  expect(await names('--select', '+exposure:price_board', '--exclude', 'resource_type:test', 'mills')).toEqual([
    'sold',
    'kinds',
    'loaves',
    'till',
    'price_board',
  ])
  expect(await names('--select', 'version:none,tag:bought', '--exclude-resource-type', 'test')).toEqual(['kinds'])
  expect(await names('--selector', 'breed')).toMatchObject({ code: 'USAGE', hint: 'Did you mean "bread"?' })
  expect(await names('--select', 'state:modified')).toMatchObject({
    code: 'USAGE',
    hint: expect.stringContaining('plinth rollup plan'),
  })
  const part = await run('rollup', 'run', '--selector', 'bread', '--json')
  expect(Object.keys(part.json.data.others)).toEqual(['oven.loaves'])
  const again = await run('rollup', 'run', '--full-refresh', '--json')
  expect(Object.keys(again.json.data.seeds)).toEqual(['oven.mills', 'oven.sold'])
})

test('a target that is not run here is replaced by a file, and says so', async () => {
  const { cwd, run } = story()
  const ran = await run('rollup', 'run', '--target', 'cloud')
  expect(ran.status).toBe(0)
  expect(ran.stderr).toContain('The target "cloud" of the profile "bakery" is snowflake, which is not run here')
  expect(ran.stdout).toContain('1 row in till.loaves')
  expect(existsSync(join(cwd, '.plinth/warehouse.duckdb'))).toBe(true)
  rmSync(join(cwd, 'profiles.yml'))
  const without = await run('rollup', 'list')
  expect([without.status, without.stderr.includes('There is no profiles.yml.')]).toEqual([0, true])
})

test('what is wrong is named with its file, its line and what there is instead', async () => {
  const { cwd, run } = story()
  const failing = async (...args: string[]) => {
    const { status, json } = await run(...args, '--json')
    return { status, ...json.error }
  }
  expect(await failing('rollup', 'list', '--target', 'shopp')).toMatchObject({
    status: 2,
    code: 'CONFIG_INVALID',
    hint: 'Did you mean "shop"?',
    location: { file: 'profiles.yml', line: 3 },
  })
  expect(await failing('rollup', 'list', '--profile', 'brewery')).toMatchObject({ hint: 'Known: bakery.' })
  expect(await failing('rollup', 'list', '--project-dir', 'seeds')).toMatchObject({ code: 'FOLDER_NOT_FOUND' })
  writeFileSync(join(cwd, 'models/baked.py'), 'def model(dbt, session): pass\n')
  expect(await failing('rollup', 'run')).toMatchObject({
    code: 'TRANSFORM_INVALID',
    location: { file: 'models/baked.py', line: 1 },
  })
  rmSync(join(cwd, 'models/baked.py'))
  writeFileSync(join(cwd, 'models/two.sql'), "select 1 as one from {{ ref('bakery', 'kinds') }}\n")
  expect(await failing('rollup', 'run')).toMatchObject({
    message: expect.stringContaining('"kinds" is of "flour"'),
    location: { file: 'models/two.sql', line: 1 },
  })
  writeFileSync(join(cwd, 'models/two.sql'), "{{ config(materialized='streaming') }}select 1 as one\n")
  expect(await failing('rollup', 'run')).toMatchObject({
    hint: expect.stringContaining('Supported: incremental, table, view, ephemeral'),
    location: { file: 'models/two.sql', line: 1 },
  })
  writeFileSync(join(cwd, 'plinth.yaml'), 'version: 1\n')
  expect(await failing('rollup', 'list', '--target', 'shop')).toMatchObject({
    code: 'USAGE',
    location: { file: 'plinth.yaml' },
  })
})

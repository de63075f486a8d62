/** Stories of settings of dbt that reach beyond rows: files instead of tables, comments in the warehouse, grants, and what `status` says. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { plinth, temporaryFolder } from '../support/cli.ts'

const base = {
  'dbt_project.yml': "name: harbour\nprofile: harbour\nversion: '1.0'\n",
  'profiles.yml':
    'harbour:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: harbour.duckdb, external_root: shipped}\n',
  'seeds/ships.csv': 'id,name,berth\n1,Aurora,north\n2,Borealis,south\n3,Corvus,south\n',
}

function story(more: Readonly<Record<string, string>>) {
  const cwd = temporaryFolder({ ...base, ...more })
  return {
    cwd,
    run: (...args: string[]) => plinth(args, { cwd, env: { HOME: cwd } }),
    rows: <T>(sql: string) =>
      withSession(duckdb, `duckdb:${join(cwd, 'harbour.duckdb')}`, { waitMs: 10_000 }, async session => {
        const { rows } = await session.query<T & Record<string, unknown>>(sql)
        return rows
      }),
  }
}

const external = (settings: string, query = "select * from {{ ref('ships') }}") =>
  `{{ config(materialized='external'${settings}) }}\n${query}\n`

test('a table may live in files, which a view reads and other transforms too', async () => {
  const { cwd, run, rows } = story({
    'models/plain.sql': external(''),
    'models/listed.sql': external(", location='lists/{{ target.name }}.csv', delimiter='|'"),
    'models/told.sql': external(", format='json'"),
    'models/parted.sql': external(", options={'partition_by': 'berth', 'overwrite': 1}"),
    'models/nothing.sql': external('', "select * from {{ ref('ships') }} where false"),
    'models/counted.sql':
      "{{ config(materialized='table') }}\nselect count(*) as ships, (select count(*) from {{ ref('nothing') }}) as others from {{ ref('plain') }}\n",
  })
  for (const round of ['first', 'again']) {
    const ran = await run('rollup', 'run')
    expect([round, ran.status, ran.stderr]).toEqual([round, 0, ''])
  }
  expect(readdirSync(join(cwd, 'shipped')).sort()).toEqual(['nothing.parquet', 'parted', 'plain.parquet', 'told.json'])
  expect(existsSync(join(cwd, 'lists/dev.csv'))).toBe(true)
  expect(await rows('select * from main.counted')).toEqual([{ ships: '3', others: '0' }])
  for (const table of ['plain', 'listed', 'told', 'parted'])
    expect([table, await rows(`select id, name, berth from main.${table} order by id limit 1`)]).toEqual([
      table,
      [{ id: table === 'plain' || table === 'parted' ? 1 : '1', name: 'Aurora', berth: 'north' }],
    ])
  expect(
    await rows("select count(*) as left_over from duckdb_tables() where table_name like '%plinth_external'"),
  ).toEqual([{ left_over: '0' }])
  const listed = await run('rollup', 'list', '--select', 'config.materialized:external', '--json')
  expect(listed.json.data.nodes).toHaveLength(5)
})

test('what files cannot be is refused at its line', async () => {
  const refused = async (settings: string) => {
    const { run } = story({ 'models/ships_out.sql': `-- ships\n${external(settings)}` })
    const { json } = await run('rollup', 'run', '--json')
    const { code, message, location, hint } = json.error ?? {}
    return [code, message, location?.file, location?.line, hint]
  }
  expect(await refused(", format='xlsx'")).toEqual([
    'TRANSFORM_INVALID',
    '"ships_out" is written as "xlsx", which is not supported.',
    'models/ships_out.sql',
    2,
    'Supported: csv, parquet, json.',
  ])
  expect((await refused(", options='gzip'"))[1]).toBe('"ships_out" has options that are no mapping.')
  expect((await refused(", plugin='glue'"))[4]).toBe('Supported: location, format, options.')
})

test('descriptions become comments where persist_docs asks for it, and go when they are gone', async () => {
  const properties = (text: string) => `models:
  - name: berths
    description: ${text}
    config: {persist_docs: {relation: true, columns: true}}
    columns: [{name: BERTH, description: "It's a place"}, {name: ships}]
  - name: seen
    description: Not kept
    config: {persist_docs: {columns: true}}
    columns: [{name: name, description: What is painted on it}]
seeds:
  - name: ships
    description: All that lie here
    config: {persist_docs: {relation: true}}
`
  const { cwd, run, rows } = story({
    'models/berths.sql':
      "{{ config(materialized='incremental', unique_key='berth') }}\nselect berth, count(*) as ships from {{ ref('ships') }} group by 1\n",
    'models/seen.sql': "select name from {{ ref('ships') }}\n",
    'models/models.yml': properties('Where they lie'),
  })
  expect((await run('rollup', 'run')).status).toBe(0)
  const comments = () =>
    rows<{ said: string }>(`select said from (
      select table_name || ': ' || comment as said from duckdb_tables() where comment is not null
      union all select view_name || ': ' || comment from duckdb_views() where comment is not null and not internal
      union all select table_name || '.' || column_name || ': ' || comment from duckdb_columns() where comment is not null
    ) order by said`).then(found => found.map(({ said }) => said))
  const columns = ["berths.berth: It's a place", 'seen.name: What is painted on it']
  expect(await comments()).toEqual([columns[0], 'berths: Where they lie', columns[1], 'ships: All that lie here'])
  writeFileSync(join(cwd, 'models/models.yml'), properties('""'))
  expect((await run('rollup', 'run')).status).toBe(0)
  expect(await comments()).toEqual([...columns, 'ships: All that lie here'])
})

test('grants that are asked for and not given are named', async () => {
  const { run } = story({
    'models/seen.sql':
      "-- What was seen\n{{ config(grants={'select': ['reporter']}) }}\nselect name from {{ ref('ships') }}\n",
    'models/read.sql': "select name from {{ ref('ships') }}\n",
    'models/models.yml': `models:
  - name: read
    description: What may be read
    config:
      grants:
        +select: [reporter]
seeds:
  - name: ships
    config: {tags: [static],
      grants: {insert: [writer]}}
`,
  })
  const ran = await run('rollup', 'run')
  expect(ran.status).toBe(0)
  expect(ran.stdout).toContain('models/seen.sql:2 "seen" asks for grants (select), which a run does not give')
  expect(ran.stdout).toContain('models/models.yml:5 "read" asks for grants (select)')
  expect(ran.stdout).toContain('models/models.yml:10 "ships" asks for grants (insert)')
})

test('status tells how the warehouse stands where there are no migrations', async () => {
  const { run } = story({ 'models/seen.sql': "{{ config(materialized='table') }}\nselect * from {{ ref('ships') }}\n" })
  const before = await run('status')
  expect([before.status, before.stderr]).toEqual([0, ''])
  expect(before.stdout).toContain('harbour is a dbt project without migrations')
  expect(before.stdout).toMatch(/main\.seen\s+not there yet/)
  expect((await run('rollup', 'run')).status).toBe(0)
  const after = await run('status', '--json')
  expect(after.json.data.others).toEqual({ 'main.seen': 3, 'main.ships': 3 })
})

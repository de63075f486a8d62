/**
 * A dbt project that knows nothing of Plinth, with a profile of each warehouse: seeds, snapshots and the ways to add rows leave the same cells in
 * BigQuery as in DuckDB.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Client } from '../../src/engines/bigquery/client.ts'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import type { Engine } from '../../src/engines/engine.ts'
import { kindOf, splitStatements } from '../../src/sql/googlesql.ts'
import { emulator, type Fault, faulty, withoutBigQuery } from '../support/bigquery.ts'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { analyst, withoutZetaSql } from '../support/zetasql.ts'

const server = emulator()
const google = analyst()

describe.skipIf(withoutBigQuery)('a dbt project of seeds, snapshots and increments', { timeout: 300_000 }, () => {
  test('ends with equal cells in both warehouses, run after run, and all that was sent there is typed', async () => {
    const sent: string[] = []
    const endpoint = await faulty(server.endpoint, ({ method, body }) => {
      if (method !== 'POST' || !body.startsWith('{')) return null
      const { query, configuration, tableReference, schema } = JSON.parse(body) as Sent
      const text = query ?? configuration?.query?.query
      if (text !== undefined) sent.push(text)
      if (tableReference && schema) google.learn(tableReference.datasetId, tableReference.tableId, schema.fields)
      return null
    })
    const { cwd, url, run } = story(endpoint)
    for (const round of ['first', 'again', 'changed']) {
      if (round === 'changed') writeFileSync(join(cwd, 'seeds/pots.csv'), laterPots)
      for (const target of ['near', 'far']) {
        const ran = await run('rollup', 'run', '--target', target)
        expect([round, target, ran.status, ran.stderr]).toEqual([round, target, 0, ''])
      }
      for (const [table, columns] of Object.entries(tables)) {
        const query = `select ${columns} from garden.${table}`
        const there = await ask(bigquery, url, query)
        expect(there, `${round}: ${table}`).toEqual(await ask(duckdb, `duckdb:${cwd}/near.duckdb`, query))
        expect(there.length, table).toBeGreaterThan(0)
      }
    }
    // What is replaced by partitions keeps those that nothing new lies in; the second run found one pot for the first day.
    expect(await ask(bigquery, url, 'select day, pots from garden.by_day order by day')).toEqual([
      ['2026-04-01', '1'],
      ['2026-04-02', '1'],
      ['2026-04-05', '1'],
    ])
    expect(await descriptions(url)).toEqual({
      pots: 'All that "stand" in the garden',
      'pots.id': 'The number on its rim',
      shown: 'What is shown',
      'shown.state': "It's how it stands",
      merged: 'One row each.\nA second line, with a \\ – and more.\n',
      'merged.state': 'How it stands',
      pots_by_time: 'How each was',
      'pots_by_time.dbt_valid_to': 'Until when',
    })
    const checked = await run('check', '--target', 'far', '--json')
    expect(checked.json.data.checks.map((one: { check: string; status: string }) => one.status)).toEqual(
      Array.from({ length: 3 }, () => 'passed'),
    )
    const status = await run('rollup', 'status', '--target', 'far')
    expect(status.stdout).toMatch(/garden\.pots\s+3 rows/)
    const history = await run('rollup', 'status', '--history', '--target', 'far', '--json')
    expect(history.json.data.history).toMatchObject([{ kind: 'checks', status: 'ok' }])
    expect(sent.filter(text => /\bmerge into\b/i.test(text)).length).toBeGreaterThan(3)
    if (withoutZetaSql) return
    const complaints = new Set<string>()
    for (const script of sent)
      for (const { text } of splitStatements(script)) {
        // What steers a script is not the analyzer's: it knows single statements.
        const complaint = kindOf(text) === 'scripting' ? null : await google.check(text)
        if (complaint !== null) complaints.add(`${complaint}: ${text.slice(0, 600)}`)
      }
    expect([...complaints]).toEqual([])
  })

  test('is planned with the bytes of dry runs, and a cap refuses it', async () => {
    const priced: Fault = ({ body }) => (/"dryRun":\s*true/.test(body) ? { answering: priceOf } : null)
    const { run } = story(await faulty(server.endpoint, priced))
    expect((await run('rollup', 'run', '--target', 'far')).status).toBe(0)
    const plan = await run('rollup', 'plan', '--target', 'far', '--json')
    const others = plan.json.data.others as readonly { name: string; action: string; bytes: number | null }[]
    expect(Object.fromEntries(others.map(({ name, action, bytes }) => [name, [action, bytes]]))).toEqual({
      shown: ['make view', null],
      merged: ['add rows', bytesEach],
      only_added: ['add rows', bytesEach],
      by_day: ['add rows', bytesEach],
      pots_by_check: ['take snapshot', bytesEach],
      pots_by_time: ['take snapshot', bytesEach],
    })
    expect(plan.status).toBe(3)
    expect(plan.json.data.bytes).toBe(5 * bytesEach)
    const refused = await run('rollup', 'run', '--target', 'far', '--bytes-max', '1GiB', '--json')
    expect([refused.status, refused.json.error?.code]).toEqual([5, 'COST_CAP_EXCEEDED'])
  })

  test('takes the ways to add rows that dbt takes there, and refuses the others at their line', async () => {
    const { cwd, run } = story()
    writeFileSync(
      join(cwd, 'models/merged.sql'),
      "{{ config(materialized='incremental',\n  unique_key='id', incremental_strategy='delete+insert') }}\nselect * from {{ ref('pots') }}\n",
    )
    expect((await run('rollup', 'run', '--target', 'near', '--select', 'merged')).status).toBe(0)
    const refused = await run('rollup', 'run', '--target', 'far', '--json')
    expect(refused.json.error).toMatchObject({
      code: 'TRANSFORM_INVALID',
      hint: expect.stringContaining('Supported on bigquery: merge, insert_overwrite'),
      location: { file: 'models/merged.sql', line: 1 },
    })
  })
})

interface Sent {
  readonly query?: string
  readonly configuration?: { readonly query?: { readonly query: string } }
  readonly tableReference?: { readonly datasetId: string; readonly tableId: string }
  readonly schema?: { readonly fields: readonly { readonly name: string; readonly type: string }[] }
}

const tables = {
  pots: 'id, state, weight, planted, seen_at',
  shown: 'id, state',
  merged: 'id, state, first_state',
  only_added: 'id, state',
  pots_by_time: 'id, state, cast(dbt_valid_from as string) as since, cast(dbt_valid_to as string) as until',
  pots_by_check: 'id, state, dbt_valid_to is null as is_now',
}

const bytesEach = 3_000_000_000

function priceOf(body: string): string {
  const job = JSON.parse(body) as { statistics?: { query?: object } }
  const totalBytesProcessed = String(bytesEach)
  const query = { ...job.statistics?.query, totalBytesProcessed }
  return JSON.stringify({ ...job, statistics: { ...job.statistics, totalBytesProcessed, query } })
}

/** What the warehouse keeps of tables and columns, by their names. */
async function descriptions(url: string): Promise<Record<string, string>> {
  return withSession(bigquery, url, {}, async session => {
    const { client } = session as unknown as { readonly client: Client }
    const said: Record<string, string> = {}
    for (const name of Object.keys(tables)) {
      const table = await client.request<Kept & { schema: { fields: (Kept & { name: string })[] } }>({
        uri: `/datasets/garden/tables/${name}`,
      })
      if (table.description) said[name] = table.description
      for (const field of table.schema.fields) if (field.description) said[`${name}.${field.name}`] = field.description
    }
    return said
  })
}

interface Kept {
  readonly description?: string
}

/** Rows as texts, since the engines have classes of their own for dates and decimals. */
async function ask(engine: Engine, url: string, query: string): Promise<string[][]> {
  return withSession(engine, url, { waitMs: 10_000 }, async session =>
    (await session.query<Record<string, unknown>>(query)).rows
      .map(row => Object.values(row).map(plain))
      .sort((a, b) => (a.join('|') < b.join('|') ? -1 : 1)),
  )
}

/** Moments are written to the second, and decimals without zeros behind. */
function plain(value: unknown): string {
  return String(value)
    .replace(/^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.0+)?(Z|\+00(:?00)?)?$/, '$1 $2')
    .replace(/^(-?\d+\.\d*?)0+$/, '$1')
    .replace(/^(-?\d+)\.$/, '$1')
}

function story(endpoint = server.endpoint) {
  const url = new URL(server.url())
  url.searchParams.set('endpoint', endpoint)
  const project = url.host
  const cwd = temporaryFolder({
    ...files,
    'profiles.yml': `garden:
  target: near
  outputs:
    near: {type: duckdb, path: near.duckdb, schema: garden}
    far:
      type: bigquery
      method: oauth
      project: "{{ env_var('GARDEN_PROJECT') }}"
      dataset: garden
      api_endpoint: "{{ env_var('GARDEN_ENDPOINT') }}"
`,
  })
  const env = { GARDEN_PROJECT: project, GARDEN_ENDPOINT: endpoint }
  return {
    cwd,
    url: `bigquery://${project}/garden?endpoint=${encodeURIComponent(endpoint)}`,
    run: (...args: string[]) => plinth(args, { cwd, env }),
  }
}

const laterPots = `id,state,weight,planted,seen_at
1,leaf,1.5,2026-04-05,2026-04-05 08:00:00
2,bud,2.25,2026-04-01,2026-04-01 08:00:00
4,bud,,2026-04-01,2026-04-06 08:00:00
`

const files = {
  'dbt_project.yml': `name: garden
profile: garden
version: '1.0'
models:
  garden:
    +materialized: incremental
    +persist_docs: &docs {relation: true, columns: true}
seeds:
  garden: {+persist_docs: *docs}
snapshots:
  garden: {+persist_docs: *docs}
`,
  'seeds/pots.csv': `id,state,weight,planted,seen_at
1,bud,1.5,2026-04-01,2026-04-01 08:00:00
2,bud,2.25,2026-04-01,2026-04-01 08:00:00
3,bloom,0.5,2026-04-02,2026-04-02 08:00:00
`,
  'seeds/pots.yml': `seeds:
  - name: pots
    description: All that "stand" in the garden
    columns:
      - name: id
        description: The number on its rim
        data_tests: [unique, not_null]
`,
  'models/shown.sql':
    "{{ config(materialized='view') }}\nselect id, {{ dbt.safe_cast('state', dbt.type_string()) }} as state from {{ ref('pots') }}\n",
  'models/merged.sql': `{{ config(incremental_strategy='merge', unique_key='id', merge_exclude_columns=['first_state'],
    cluster_by=['id']) }}
select id, state, state as first_state from {{ ref('pots') }}
{% if is_incremental() %}where seen_at > (select timestamp '2026-04-03 00:00:00'){% endif %}
`.replace(
    "(select timestamp '2026-04-03 00:00:00')",
    "cast('2026-04-03 00:00:00' as {{ 'datetime' if target.type == 'bigquery' else 'timestamp' }})",
  ),
  'models/only_added.sql': `select id, state from {{ ref('pots') }}
{% if is_incremental() %}where id not in (select id from {{ this }}){% endif %}
`,
  'models/by_day.sql': `{{ config(
    materialized='incremental' if target.type == 'bigquery' else 'table',
    incremental_strategy='insert_overwrite' if target.type == 'bigquery' else none,
    partition_by={'field': 'day', 'data_type': 'date'}) }}
select planted as day, count(*) as pots from {{ ref('pots') }}
{% if is_incremental() %}where id = 1{% endif %}
group by planted
`,
  'models/models.yml': `models:
  - name: shown
    description: What is shown
    columns: [{name: state, description: It's how it stands}]
  - name: merged
    description: |
      One row each.
      A second line, with a \\ – and more.
    columns:
      - name: state
        description: How it stands
        data_tests:
          - accepted_values: {arguments: {values: [bud, bloom, leaf]}}
`,
  'snapshots/snapshots.yml': `snapshots:
  - name: pots_by_time
    relation: ref('pots')
    description: How each was
    columns: [{name: dbt_valid_to, description: Until when}]
    config: {strategy: timestamp, updated_at: seen_at, unique_key: id}
  - name: pots_by_check
    relation: ref('pots')
    config: {strategy: check, check_cols: [state], unique_key: id, hard_deletes: invalidate}
`,
}

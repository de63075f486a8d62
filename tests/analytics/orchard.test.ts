import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodesOf } from '../../src/analytics/project/nodes.ts'
import { selectNodes } from '../../src/analytics/project/select.ts'
import type { Session } from '../../src/engines/engine.ts'
import { makeOrchard } from './support/orchard.ts'
import { afterRun, compiled, failureOf, project } from './support/project.ts'

describe('a project that brings its own rows', () => {
  test('loads them when they changed, with the types that dbt infers, and makes what reads them', async () => {
    const orchard = makeOrchard()
    const first = await orchard.run()
    expect(first.seeds).toEqual({
      'analytics.branches': 3,
      'analytics.fruits': 3,
      'analytics_box.blades': 3,
      'analytics_store.racks': 2,
      'analytics.trees': 0,
    })
    expect((await orchard.run()).seeds).toEqual({})
    expect(await orchard.ask('describe analytics.fruits')).toMatchObject(
      ['INTEGER', 'VARCHAR', 'DOUBLE', 'BOOLEAN', 'DATE', 'TIMESTAMP', 'VARCHAR'].map(type => ({ column_type: type })),
    )
    expect(await orchard.ask('select code, shelf from analytics_store.racks order by code')).toEqual([
      { code: '001', shelf: 4 },
      { code: '017', shelf: null },
    ])
    expect(await orchard.ask('select note from analytics.fruits order by id')).toEqual([
      { note: 'red, round' },
      { note: null },
      { note: 'says "sweet"' },
    ])
    writeFileSync(join(orchard.folder, 'seeds/trees.csv'), 'tree,kind\n1,oak\n')
    expect((await orchard.run()).seeds).toEqual({ 'analytics.trees': 1 })
    expect(await orchard.ask('select distinct trees from analytics.made_rack')).toEqual([{ trees: '1' }])
  })

  test('adds to tables by their strategy, and makes them anew when that is asked for', async () => {
    const orchard = makeOrchard()
    await orchard.run()
    orchard.change()
    await orchard.run()
    const count = async (table: string) =>
      Number((await orchard.ask<{ n: string }>(`select count(*) as n from analytics.${table}`))[0]?.n)
    expect(await count('made_log')).toBe(6)
    expect(await orchard.ask('select state, first_state from analytics.made_merged where id = 1')).toEqual([
      { state: 'leaf', first_state: 'bud' },
    ])
    expect(
      await orchard.ask('select id, seen from analytics.made_replaced where seen is not null order by id'),
    ).toEqual([
      { id: 1, seen: 'later' },
      { id: 4, seen: 'later' },
    ])
    await orchard.run({ mode: 'rebase' })
    expect(await count('made_log')).toBe(3)
  })

  test('keeps what rows were: closed when they changed, and gone when they went', async () => {
    const orchard = makeOrchard()
    await orchard.run()
    orchard.change()
    await orchard.run()
    await orchard.run()
    const kept = (table: string, more = '') =>
      orchard.ask(
        `select id, state, dbt_valid_to is null as is_now${more} from ${table} order by id, dbt_valid_from, dbt_valid_to`,
      )
    expect(await kept('analytics_kept.branches_by_check')).toEqual([
      { id: 1, state: 'bud', is_now: false },
      { id: 1, state: 'leaf', is_now: true },
      { id: 2, state: 'bud', is_now: true },
      { id: 3, state: 'bloom', is_now: false },
      { id: 4, state: 'bud', is_now: true },
    ])
    expect(await kept('analytics.branches_gone', ', dbt_is_deleted')).toContainEqual({
      id: 3,
      state: 'bloom',
      is_now: true,
      dbt_is_deleted: 'True',
    })
  })

  test('brings a part up to date with what it reads, and lists what it has', async () => {
    const orchard = makeOrchard()
    const nodes = nodesOf(await orchard.load())
    const named = (select: string) => selectNodes(nodes, { select }).map(({ id }) => id)
    expect(named('tag:store')).toEqual(['seed.shelves'])
    expect(named('resource_type:snapshot')).toHaveLength(3)
    expect(named('shelves+1')).toContain('model.rack')
    const report = await orchard.run({ select: new Set(['rack']) })
    expect([Object.keys(report.seeds), Object.keys(report.others)]).toEqual([
      ['analytics_store.racks', 'analytics.trees'],
      ['analytics.made_rack'],
    ])
  })
})

describe('what cannot be', () => {
  test('a row that is not as wide as its header, a value that is not of its type', async () => {
    const orchard = makeOrchard()
    writeFileSync(join(orchard.folder, 'seeds/trees.csv'), 'tree,kind\n1,oak\n2\n')
    expect(await failureOf(orchard.run())).toMatchObject({ at: { file: 'seeds/trees.csv', line: 3 } })
    writeFileSync(join(orchard.folder, 'seeds/trees.csv'), 'tree,kind\n1,oak\n')
    writeFileSync(
      join(orchard.folder, 'seeds/trees.yml'),
      'seeds:\n  - name: trees\n    config: {column_types: {kind: date}}\n',
    )
    const failure = await failureOf(orchard.run())
    expect(failure).toMatchObject({ code: 'TRANSFORM_INVALID', at: { file: 'seeds/trees.csv' } })
    expect(String(failure)).toMatch(/kind date/)
    expect(String(failure)).not.toMatch(/oak/)
  })

  test('a package that is not there, a hook that fails, columns that may not change', async () => {
    const orchard = makeOrchard()
    rmSync(join(orchard.folder, 'tools'), { recursive: true })
    expect(await failureOf(orchard.load())).toMatchObject({
      at: { file: 'orchard/packages.yml', line: 2 },
      hint: expect.stringContaining('dbt deps'),
    })
    const hooked = await project({
      'models/a.sql': "\n{{ config(materialized='table', post_hook='drop nothing') }}\nselect 1 as one",
    })
    expect(await failureOf(afterRun(hooked, 'select 1', async () => null))).toMatchObject({
      code: 'TRANSFORM_INVALID',
      at: { file: 'shop/models/a.sql', line: 2 },
    })
    const strict = await project({
      'models/a.sql':
        "{{ config(materialized='incremental', on_schema_change='fail') }}\nselect 1 as one{{ ', 2 as two' if is_incremental() }}",
    })
    const before = 'create schema analytics; create table analytics.a as select 0 as one'
    const failure = await failureOf(afterRun(strict, before, async () => null))
    expect(String(failure)).toMatch(/two \(new\)/)
  })

  test('a model that fails leaves what reads it, and everything else is made', async () => {
    const broken = await project({
      'models/a.sql': "{{ config(materialized='table') }}\nselect nowhere as one",
      'models/b.sql': "{{ config(materialized='table') }}select * from {{ ref('a') }}",
      'models/c.sql': "{{ config(materialized='table') }}select 3 as three",
      'models/d.yml': 'models:\n  - name: e\n',
    })
    expect(broken.notes).toEqual([
      'shop/models/d.yml:2 describes a transform "e", which is not there; did you mean "a"?',
    ])
    const before = 'create schema analytics; create table analytics.a as select 0 as one'
    const failures: unknown[] = []
    const made = 'select one, three from analytics.a, analytics.c'
    const ask = async (session: Session) => (await session.query(made)).rows
    const rows = await afterRun(broken, before, ask, error => failures.push(error))
    expect(String(failures[0])).toMatch(/nowhere[\s\S]*In all, 2 were not made/)
    expect(failures[0]).toMatchObject({ at: { file: 'shop/models/a.sql', line: 2 } })
    expect(rows).toEqual([{ one: 0, three: 3 }])
  })

  test('asking a warehouse where there is none', async () => {
    const asking = await project({ 'models/a.sql': "select 1 as one\n{{ run_query('select 1').columns[0][0] }}" })
    expect(await failureOf(compiled(asking, 'model.a'))).toMatchObject({
      at: { file: 'shop/models/a.sql', line: 2 },
      hint: expect.stringContaining('execute'),
    })
    const guarded = await project({
      'models/a.sql': "select {% if execute %}{{ run_query('select 41 + 1 as n')[0].n }}{% else %}0{% endif %} as n",
    })
    const rows = await afterRun(guarded, 'select 1', async session => (await session.query('from analytics.a')).rows)
    expect(rows).toEqual([{ n: 42 }])
  })
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { compileProject } from '../../src/analytics/project/compiled.ts'
import { loadProject } from '../../src/analytics/project/load.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'

/** A bakery's project of a few files, compiled for DuckDB. */
async function compiled(files: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-words-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['models', 'macros']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'dbt_project.yml'), 'name: bakery\nvars: {oven: stone}\n')
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
  const project = await loadProject(folder, { root: folder })
  const select = new Set(project.transforms.map(({ name }) => `model.${name}`))
  const made = await compileProject(project, { engine: 'duckdb', select })
  return Object.fromEntries(made.map(({ name, sql }) => [name, sql.trim()]))
}

test('a transform reads its own settings, variables, and the parts of relations', async () => {
  const { loaves } = await compiled({
    'models/flour.sql': 'select 1 as kilos',
    'models/loaves.sql': [
      "{{ config(materialized='table', meta={'owner': 'baker'}, tags=['daily']) }}",
      "select '{{ config.get('materialized') }} {{ config.get('meta').owner }} {{ config.get('gone', 'none') }}' as said,",
      "  '{{ model.path }} {{ model.config.materialized }} {{ this.include(schema=false) }}' as place,",
      "  '{{ var.has_var('oven') }} {{ var.has_var('mill') }}' as known",
      "from {{ ref('flour') }} as {{ ref('flour').identifier }}",
    ].join('\n'),
  })
  expect(loaves).toContain("'table baker none' as said")
  expect(loaves).toContain('\'loaves.sql table "loaves"\' as place')
  expect(loaves).toContain("'True False' as known")
  expect(loaves).toContain('from "analytics"."flour" as flour')
})

test('a macro is dispatched by named arguments, and one that wraps ref calls the one beneath', async () => {
  const { crumbs } = await compiled({
    'macros/words.sql': [
      "{% macro rounded(x) %}{{ return(adapter.dispatch(macro_name='rounded', macro_namespace='bakery')(x)) }}{% endmacro %}",
      '{% macro default__rounded(x) %}never{% endmacro %}',
      '{% macro duckdb__rounded(x) %}round({{ x }}){% endmacro %}',
      '{% macro ref(name) %}{{ return(builtins.ref(name).include(schema=false)) }}{% endmacro %}',
    ].join('\n'),
    'models/flour.sql': 'select 1 as kilos',
    'models/crumbs.sql': "select {{ rounded('kilos') }} as kilos from {{ ref('flour') }}",
  })
  expect(crumbs).toBe('select round(kilos) as kilos from "flour"')
})

test("dbt's spine of dates has each day but the last, and a part of a text that is not there is none", async () => {
  const { days } = await compiled({
    'models/days.sql': [
      'select count(*) as days, max(date_day) as newest,',
      `  {{ dbt.split_part("'rye-wheat'", "'-'", 2) }} as second, {{ dbt.split_part("'rye'", "'-'", 2) }} as gone`,
      `from ({{ dbt.date_spine('day', "date '2026-02-27'", "date '2026-03-02'") }}) as spine`,
    ].join('\n'),
  })
  const { rows } = await withSession(duckdb, 'duckdb::memory:', {}, session => session.query(days ?? ''))
  expect(rows).toMatchObject([{ second: 'wheat', gone: null }])
  expect(JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))).toMatch(
    /"days":"?3"?.*2026-03-01/,
  )
})

test('what a warehouse of one database has not is told, at its line', async () => {
  await expect(compiled({ 'models/loaves.sql': 'select 1\n, {{ this.database }}' })).rejects.toMatchObject({
    code: 'TRANSFORM_INVALID',
    at: { line: 2 },
    hint: expect.stringContaining('schema'),
  })
  await expect(compiled({ 'models/loaves.sql': "{{ config(materialised='table') }}\nselect 1" })).rejects.toMatchObject(
    {
      hint: expect.stringContaining('materialized'),
    },
  )
})

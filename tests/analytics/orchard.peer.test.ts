import { cpSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runChecks } from '../../src/analytics/check/check.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { dbt, withoutDbt } from '../support/dbt.ts'
import { makeOrchard } from './support/orchard.ts'
import { emit } from './support/project.ts'

/** Columns that hold when a run was. */
const times = new Set(['dbt_scd_id', 'dbt_updated_at', 'dbt_valid_from', 'dbt_valid_to'])

const comment = `select said from (
  select concat_ws(' ', schema_name, table_name, comment) as said from duckdb_tables() where comment <> ''
  union all
  select concat_ws(' ', schema_name, view_name, comment) from duckdb_views() where comment <> '' and not internal
  union all
  select concat_ws(' ', schema_name, table_name, column_name, comment) from duckdb_columns() where comment <> '' and not internal
) where said not like 'plinth %' order by said`

/** Columns with their types and rows of every table and view of a file; what a snapshot's clock says is told by whether it says it. */
async function contents(file: string): Promise<Record<string, readonly string[]>> {
  return withSession(duckdb, `duckdb:${file}`, { waitMs: 10_000 }, async session => {
    const { rows: tables } = await session.query<{ place: string }>(
      `select '"' || table_schema || '"."' || table_name || '"' as place from information_schema.tables
       where table_catalog = current_database() and table_schema <> 'plinth' order by 1`,
    )
    const found: Record<string, readonly string[]> = {}
    const { rows: comments } = await session.query<{ said: string }>(comment)
    found['descriptions'] = comments.map(({ said }) => said)
    for (const { place } of tables) {
      const { rows: columns } = await session.query<{ column_name: string; column_type: string }>(`describe ${place}`)
      const isClock = /by_check|gone/.test(place)
      const values = columns.map(({ column_name: name }) =>
        isClock && times.has(name) ? `"${name}" is null` : `"${name}"`,
      )
      const { rows } = await session.query<{ line: string }>(
        `select cast(row(${values.join(', ')}) as varchar) as line from ${place} order by 1`,
      )
      found[place] = [
        columns.map(column => `${column.column_name} ${column.column_type}`).join(', '),
        ...rows.map(row => row.line),
      ]
    }
    return found
  })
}

describe.skipIf(withoutDbt)(`beside dbt${withoutDbt ? `: ${withoutDbt}` : ''}`, () => {
  test('seeds, hooks, packages, versions, increments and snapshots make the same tables, run after run', async () => {
    const orchard = makeOrchard()
    const theirs = join(dirname(orchard.file), 'theirs', 'orchard.duckdb')
    const project = join(dirname(orchard.file), 'theirs', 'project')
    cpSync(orchard.folder, project, { recursive: true })
    const variables = { ORCHARD_WAREHOUSE: theirs }
    expect(await dbt(project, ['deps'], variables)).toMatchObject({ status: 0 })
    const build = ['build', '--exclude-resource-type', 'test']
    for (const round of ['first', 'again', 'changed']) {
      if (round === 'changed') {
        orchard.change()
        rmSync(join(project, 'seeds'), { recursive: true })
        cpSync(join(orchard.folder, 'seeds'), join(project, 'seeds'), { recursive: true })
      }
      expect(await dbt(project, build, variables), round).toMatchObject({ status: 0 })
      const report = await orchard.run()
      expect(Object.keys(report.seeds).length, round).toBe(round === 'first' ? 5 : round === 'again' ? 0 : 1)
      const ours = await contents(orchard.file)
      expect(Object.keys(ours).length).toBe(21)
      expect(ours['descriptions']?.join('\n')).toMatch(/branches_by_time dbt_valid_to Until when/)
      expect(ours, round).toEqual(await contents(theirs))
    }
    const tested = await dbt(project, ['test'], variables)
    expect(tested.output).toMatch(/PASS=8 WARN=2 ERROR=1/)
    const checks = await orchard.on(async warehouse => runChecks(await orchard.load(), { warehouse, emit }))
    expect(
      checks.checks.filter(check => check.status !== 'passed').map(({ check, status }) => [check, status]),
    ).toEqual([
      ['no_more_than_blades_in_use_sharpness', 'warned'],
      ['not_null_fruits_grams', 'failed'],
      ['tools_no_more_than_weights_grams', 'warned'],
    ])
  }, 240_000)
})

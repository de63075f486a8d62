import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runChecks } from '../../src/analytics/check/check.ts'
import { checkFreshness } from '../../src/analytics/check/freshness.ts'
import { loadProject } from '../../src/analytics/project/load.ts'
import { runRollup } from '../../src/analytics/run/run.ts'
import { runUnitTests } from '../../src/analytics/check/unit-test.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { dbt, withoutDbt } from '../support/dbt.ts'
import { fillEvents, makeWorld, root } from './support/world.ts'

const lending = join(import.meta.dirname, 'lending')
const emit = () => undefined

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-dbt-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const onFile = <T>(file: string, work: (session: Session) => Promise<T>) =>
  withSession(duckdb, `duckdb:${file}`, { waitMs: 10_000 }, work)

/** All rows of tables and views, in an order of their own, as text. */
async function contents(file: string, tables: readonly string[]): Promise<Record<string, string[]>> {
  return onFile(file, async session => {
    await session.query(`set TimeZone = 'UTC'`)
    const found: Record<string, string[]> = {}
    for (const table of tables) {
      const { rows } = await session.query<{ line: string }>(
        `select cast(row as varchar) as line from (select row(*columns(*)) as row from ${table}) order by line`,
      )
      found[table] = rows.map(row => row.line)
    }
    return found
  })
}

/** What dbt made of the analysis of this file. */
function compiledIn(target: string, name: string): string {
  const [path] = readdirSync(target, { recursive: true, encoding: 'utf8' }).filter(file =>
    file.endsWith(`analyses/${name}`),
  )
  if (!path) throw new Error(`dbt has not compiled ${name}`)
  return readFileSync(join(target, path), 'utf8')
}

/** The lending project over its desk, run by Plinth in a file of its own. */
async function lendingByPlinth() {
  const folder = temporary()
  const file = join(folder, 'warehouse.duckdb')
  await onFile(file, session => session.script(readFileSync(join(lending, 'desk.sql'), 'utf8')))
  const project = await loadProject(lending, { root })
  const report = await runRollup(project, {
    source: { engine: postgres, url: 'postgres://nobody.invalid/none' },
    warehouse: { engine: duckdb, url: `duckdb:${file}` },
    emit,
    runId: 'lending',
    owner: 'a test',
  })
  return { folder, file, project, report }
}

const lent = [
  'analytics_staging.stg_loans',
  'analytics_staging.stg_members',
  'analytics.fees',
  'analytics.member_months',
  'analytics.loan_history',
]

describe('a project that knows nothing of Plinth', () => {
  test('runs, checks and tests as it stands', async () => {
    const { file, project, report } = await lendingByPlinth()
    expect(report.status).toBe('succeeded')
    expect(report.others).toMatchObject({ 'analytics.fees': 199, 'analytics.loan_history': 199 })
    const checks = await onFile(file, warehouse => runChecks(project, { warehouse, emit }))
    expect(
      checks.checks
        .filter(check => check.status !== 'passed')
        .map(({ check, status, failures, stored }) => ({ check, status, failures, stored })),
    ).toEqual([
      { check: 'accepted_values_desk_members_kind', status: 'warned', failures: 1, stored: null },
      { check: 'few_books_are_lost', status: 'warned', failures: 28, stored: null },
      {
        check: 'not_null_member_months_member_name',
        status: 'warned',
        failures: 4,
        stored: '"analytics_dbt_test__audit"."not_null_member_months_member_name"',
      },
    ])
    const units = await withSession(duckdb, 'duckdb::memory:', {}, scratch => runUnitTests(project, { scratch, emit }))
    expect(units.tests.map(({ test, status, differences, error }) => ({ test, status, differences, error }))).toEqual(
      ['books_that_came_back_late_cost_a_fee', 'months_add_up_fees_in_bands', 'history_takes_what_is_newer'].map(
        name => ({
          test: name,
          status: 'passed',
          differences: [],
          error: null,
        }),
      ),
    )
    const freshness = await onFile(file, warehouse => checkFreshness(project, { warehouse, emit }))
    expect(freshness.sources.map(({ source, status, newestAt }) => ({ source, status, newestAt }))).toEqual([
      { source: 'desk.loans', status: 'passed', newestAt: '2026-05-09T07:00:00.000Z' },
    ])
  })
})

describe.skipIf(withoutDbt)(`beside dbt${withoutDbt ? `: ${withoutDbt}` : ''}`, () => {
  test('a project that knows nothing of Plinth makes the same tables, and finds the same wrong rows', async () => {
    const { folder, file, project } = await lendingByPlinth()
    await onFile(file, warehouse => runChecks(project, { warehouse, emit }))
    const theirs = join(folder, 'theirs.duckdb')
    await onFile(theirs, session => session.script(readFileSync(join(lending, 'desk.sql'), 'utf8')))
    cpSync(lending, join(folder, 'lending'), { recursive: true })
    const variables = { LENDING_WAREHOUSE: theirs }
    // A unit test of an incremental model needs its table, so it is there before dbt builds and tests.
    expect(await dbt(join(folder, 'lending'), ['run'], variables)).toMatchObject({ status: 0 })
    const built = await dbt(join(folder, 'lending'), ['build'], variables)
    expect(built.output).toMatch(/PASS=18 WARN=3 ERROR=0 SKIP=0/)
    const tables = [...lent, 'analytics_dbt_test__audit.not_null_member_months_member_name']
    const ours = await contents(file, tables)
    expect(Object.values(ours).every(rows => rows.length > 0)).toBe(true)
    expect(await contents(theirs, tables)).toEqual(ours)
  }, 180_000)

  test("the platform's project makes the same rollups, and passes dbt's tests, unit tests, contracts and freshness", async () => {
    const world = await makeWorld()
    await fillEvents(world, 400)
    await world.run()
    const folder = temporary()
    const theirs = join(folder, 'theirs.duckdb')
    const ours = world.warehouseUrl.replace(/^duckdb:/, '')
    const tables = world.project.transforms.map(({ schema, name }) => `${schema}.${name}`)
    cpSync(ours, theirs)
    await onFile(theirs, async session => {
      for (const { schema, name, materialized } of world.project.transforms)
        if (materialized !== 'view') await session.query(`delete from ${schema}.${name}`)
    })
    cpSync(join(root, 'analytics'), join(folder, 'analytics'), { recursive: true })
    const built = await dbt(join(folder, 'analytics'), ['build'], { PLINTH_WAREHOUSE_FILE: theirs })
    expect(built.output).toMatch(/PASS=\d+ WARN=0 ERROR=0 SKIP=0/)
    expect(built.output).toContain(`${world.project.unitTests.length} unit tests`)
    const made = await contents(ours, tables)
    expect(made['analytics.usage_hourly']?.length).toBeGreaterThan(100)
    expect(await contents(theirs, tables)).toEqual(made)
    const analyses = readdirSync(join(root, 'analytics/analyses')).filter(name => name.endsWith('.sql'))
    const compiled = await dbt(join(folder, 'analytics'), ['compile', '--select', 'resource_type:analysis'], {
      PLINTH_WAREHOUSE_FILE: theirs,
    })
    expect(compiled.status, compiled.output).toBe(0)
    for (const name of analyses) {
      const query = compiledIn(join(folder, 'analytics/target/compiled'), name)
      await onFile(theirs, session => session.query(query))
    }
    const freshness = await dbt(join(folder, 'analytics'), ['source', 'freshness'], { PLINTH_WAREHOUSE_FILE: theirs })
    expect(freshness.output).toContain('PASS freshness of raw.usage_events')
  }, 180_000)
})

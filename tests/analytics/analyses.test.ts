import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile, namesOf } from '../../src/analytics/project/compile.ts'
import type { Project } from '../../src/analytics/project/project.ts'
import { seed } from '../seeds/support.ts'
import { makeWorld, root, type World } from './support/world.ts'

type Row = Record<string, unknown>

/** One number of the answer that PostgreSQL can be asked as well: expression over the rows, and the question. */
const figures: Readonly<Record<string, { readonly of: (rows: Row[]) => unknown; readonly source: string }>> = {
  active_organizations: {
    of: rows => Math.max(...rows.map(row => Number(row['organizations']))),
    source: `select max(n)::int from (select count(distinct organization_id) as n from platform.usage_events group by (occurred_at at time zone 'UTC')::date) as day`,
  },
  error_rates: {
    of: rows => Math.max(...rows.map(row => Number(row['error_rate']))),
    source: `select max(rate)::float8 from (
      select round((count(*) filter (where status = 'error'))::numeric / count(*), 4) as rate from platform.usage_events
      group by date_trunc('hour', occurred_at, 'UTC'), model_id having count(*) >= 10) as hour`,
  },
  freshness: {
    of: rows => total(rows, 'minutes_behind_the_newest'),
    source: `select sum(floor(extract(epoch from newest - last) / 60))::int from (
      select max(occurred_at) as last, max(max(occurred_at)) over () as newest from platform.usage_events group by organization_id) as each`,
  },
  late_arrivals: {
    of: rows => [total(rows, 'events'), total(rows, 'within_the_hour'), total(rows, 'later')].join(),
    source: `select concat_ws(',', count(*), count(*) filter (where m between 0 and 59), count(*) filter (where m >= 10080)) from (
      select floor(extract(epoch from received_at - occurred_at) / 60) as m from platform.usage_events) as event`,
  },
  latency_by_day: {
    of: rows => total(rows, 'requests'),
    source: 'select count(*)::int from platform.usage_events',
  },
  latency_by_organization: {
    of: rows => total(rows, 'requests') > 0 && rows.every(row => ordered(row)),
    source: 'select true',
  },
  month_over_month: {
    of: rows =>
      rows.map(row => (row['requests_growth'] === null ? '-' : String(Number(row['requests_growth'])))).join(),
    source: `select string_agg(coalesce(round(n::numeric / nullif(before, 0) - 1, 4)::float8::text, '-'), ',' order by month) from (
      select month, n, lag(n) over (order by month) as before from (
        select date_trunc('month', occurred_at, 'UTC') as month, count(*) as n from platform.usage_events group by 1) as counted) as months`,
  },
  tokens_against_budget: {
    of: rows => rows.filter(row => row['is_over_budget'] === true).length,
    source: `select count(*)::int from (select 1 from platform.usage_events
      group by organization_id, date_trunc('month', occurred_at, 'UTC') having sum(input_tokens + output_tokens) > 20000) as month`,
  },
  top_organizations: {
    of: rows => String(rows[0]?.['cost']),
    source: `select max(cost)::numeric(38, 6)::text from (select sum(cost) as cost from platform.usage_events group by organization_id) as each`,
  },
  usage_by_day: {
    of: rows => rows.map(row => Number(row['requests'])).join(),
    source: `select string_agg(n::text, ',' order by day) from (
      select (occurred_at at time zone 'UTC')::date as day, count(*) as n from platform.usage_events group by 1) as days`,
  },
  usage_by_hour: {
    of: rows => [rows.length, total(rows, 'tokens')].join(),
    source: `select concat_ws(',', count(distinct date_trunc('hour', occurred_at, 'UTC')), sum(input_tokens + output_tokens)) from platform.usage_events`,
  },
  usage_by_model: {
    of: rows => [rows.length, total(rows, 'requests')].join(),
    source: `select concat_ws(',', count(distinct ((occurred_at at time zone 'UTC')::date, model_id)), count(*)) from platform.usage_events`,
  },
  usage_by_organization: {
    of: rows => [rows.length, total(rows, 'requests')].join(),
    source: `select concat_ws(',', count(distinct ((occurred_at at time zone 'UTC')::date, organization_id)), count(*)) from platform.usage_events`,
  },
  usage_by_region: {
    of: rows => rows.map(row => `${String(row['region'])} ${String(row['requests'])}`).join(),
    source: `select string_agg(region || ' ' || n, ',' order by n desc, region) from (
      select region, count(*) as n from platform.usage_events group by region) as each`,
  },
}

test('every dashboard query answers on the sample data what the source would', async () => {
  const world = await sample()
  const names = readdirSync(join(root, 'analytics/analyses')).map(file => file.replace(/\.sql$/, ''))
  expect(world.project.analyses.map(({ name }) => name).sort()).toEqual(names.sort())
  expect(Object.keys(figures).sort()).toEqual(names)
  for (const [name, { of, source }] of Object.entries(figures)) {
    const rows = await ask(world, name, { token_budget: 20000 })
    expect(rows.length, name).toBeGreaterThan(0)
    const { rows: answer } = await world.sql(source)
    expect(of(rows), name).toEqual(Object.values(answer[0] as Row)[0])
  }
})

test('a dashboard narrows its window, and names organizations and budgets', async () => {
  const world = await sample()
  const days = await ask(world, 'usage_by_day')
  const [from, until] = [String(days[1]?.['bucket_day']), String(days[3]?.['bucket_day'])]
  const window = { from_day: from, until_day: until }
  expect((await ask(world, 'usage_by_day', window)).map(row => row['bucket_day'])).toEqual([
    from,
    String(days[2]?.['bucket_day']),
  ])
  const hours = await ask(world, 'usage_by_hour', window)
  expect(total(hours, 'requests')).toBe(Number(days[1]?.['requests']) + Number(days[2]?.['requests']))
  expect(await ask(world, 'usage_by_day', { from_day: '2099-01-01' })).toEqual([])
  const [first] = await ask(world, 'top_organizations', { top: 1 })
  const organization = String(first?.['organization_id'])
  const lines = await ask(world, 'usage_by_organization', { organization })
  expect(new Set(lines.map(row => row['organization_id']))).toEqual(new Set([organization]))
  const budgets = await ask(world, 'tokens_against_budget', { token_budgets: { [organization]: 1 } })
  expect(new Set(budgets.filter(row => row['is_over_budget'] === true).map(row => row['organization_id']))).toEqual(
    new Set([organization]),
  )
})

/** A world whose events are those of `plinth seed --package ci`. */
async function sample(): Promise<World> {
  const world = await makeWorld()
  await seed(world.sourceUrl)
  await world.run()
  return world
}

async function ask(world: World, name: string, variables: Readonly<Record<string, unknown>> = {}): Promise<Row[]> {
  const project: Project = { ...world.project, variables: { ...world.project.variables, ...variables } }
  const analysis = project.analyses.find(one => one.name === name)
  if (!analysis) throw new Error(`no analysis ${name}`)
  const { sql } = await compile(analysis.template, namesOf(project), { engine: 'duckdb', mode: 'whole', self: null })
  return world.ask<Row>(sql)
}

function total(rows: readonly Row[], column: string): number {
  return rows.reduce((sum, row) => sum + Number(row[column]), 0)
}

function ordered(row: Row): boolean {
  const [half, most, nearly] = ['latency_ms_p50', 'latency_ms_p95', 'latency_ms_p99'].map(name =>
    Number(row[name]),
  ) as [number, number, number]
  return half <= most && most <= nearly
}

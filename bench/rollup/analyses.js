// How long dashboards wait: each query of analytics/analyses, and readings of windows that no hour fits, on a warehouse with millions of events.
// `node bench/rollup/analyses.js [--events N] [--organizations N] [--quick]`, after `npm run build`. Writes analyses.json and analyses.md beside
// itself unless it was quick. Exit status 1 when one takes two seconds or longer.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compile, namesOf } from '../../dist/analytics/project/compile.js'
import { loadProject } from '../../dist/analytics/project/load.js'
import { rebuild } from '../../dist/analytics/run/materialize.js'
import { readables } from '../../dist/analytics/read/measures.js'
import { readMeasures, readQuantiles } from '../../dist/analytics/read/reading.js'
import { daysOf } from '../../dist/analytics/run/step.js'
import { momentOf, planWindow } from '../../dist/analytics/read/window.js'
import { withSession } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { median, round, takeTurns } from '../support/statistics.js'
import { fillWarehouse, migrations, root } from './generate.js'
import { argument, has, store } from './report.js'

const quick = has('--quick')
const events = Number(argument('--events', quick ? 500_000 : 5_000_000))
const organizations = Number(argument('--organizations', quick ? 2_000 : 20_000))
const hours = 60 * 24
const limitMs = 2000
const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
const cleanUp = () => rmSync(folder, { recursive: true, force: true })
process.once('SIGINT', () => process.exit((cleanUp(), 130)))

try {
  const machine = machineFacts(null)
  const settings = { threads: '2', memory_limit: '4GB' }
  const results = await withSession(duckdb, `duckdb:${join(folder, 'warehouse.duckdb')}`, { settings }, measure)
  const report = { machine, loaded: isLoaded(machine), events, organizations, hours, limitMs, ...results }
  store(import.meta.url, 'analyses', report, table(report), quick)
  process.exitCode = Object.values(results.milliseconds).some(ms => ms >= limitMs) ? 1 : 0
} finally {
  cleanUp()
}

async function measure(session) {
  const project = await loadProject(join(root, 'analytics'), { root })
  for (const script of migrations('analytics')) await session.script(script)
  await fillWarehouse(session, { events, organizations, models: 20, hours, skew: 1.1 })
  const source = project.sources.find(({ name }) => name === 'usage_events')
  for (const transform of project.transforms)
    await rebuild(session, transform, namesOf(project), () => daysOf(session, source))
  const { rows: top } = await session.query(
    'select cast(organization_id as varchar) as id from analytics.usage_daily group by organization_id order by sum(cost) desc limit 1',
  )
  const rows = {}
  const contenders = {}
  for (const { name, template } of project.analyses) {
    // A line for each organization is no dashboard; one organization's is.
    const variables = name === 'usage_by_organization' ? { organization: top[0].id } : {}
    const names = namesOf({ ...project, variables: { ...project.variables, ...variables } })
    const { sql } = await compile(template, names, { engine: 'duckdb', mode: 'whole', self: null })
    contenders[name] = timed(name, rows, async () => (await session.query(sql)).rows)
  }
  for (const [name, reading] of Object.entries(await readings(session, project, top[0].id)))
    contenders[name] = timed(name, rows, reading)
  const found = await takeTurns(contenders, quick ? 1 : 5)
  const milliseconds = Object.fromEntries(Object.entries(found).map(([name, times]) => [name, round(median(times), 1)]))
  return { milliseconds, rows }
}

/** Windows of a month that begin and end within an hour, with quantiles. */
async function readings(session, project, organization) {
  const names = namesOf(project)
  const all = await readables(project)
  const named = name => all.find(({ transform }) => transform.name === name)
  const window = (timeZone, unit) =>
    planWindow({
      from: momentOf('2026-01-10T08:17', timeZone),
      until: momentOf('2026-02-10T17:43', timeZone),
      timeZone,
      unit,
    })
  const read = (measured, plan, keys, filters) => async () => {
    const question = { plan, keys, filters, rowsMax: 10_000 }
    const rows = await readMeasures(session, names, { ...question, readable: named(measured) })
    await readQuantiles(session, names, { ...question, readable: named('latency_hourly') }, [500_000, 950_000, 990_000])
    return rows
  }
  const one = [{ column: 'organization_id', type: 'uuid', values: [organization] }]
  return {
    'read: a month by day, Europe/Berlin': read('usage_hourly', window('Europe/Berlin', 'day'), [], []),
    'read: a month by day, Asia/Kolkata': read('usage_hourly', window('Asia/Kolkata', 'day'), [], []),
    'read: a month by hour, Asia/Kolkata': read('usage_hourly', window('Asia/Kolkata', 'hour'), [], []),
    'read: a month of one organization by day and model, Asia/Kolkata': read(
      'usage_hourly',
      window('Asia/Kolkata', 'day'),
      ['model_id'],
      one,
    ),
    'read: a month in total': read('usage_hourly', window('UTC', null), [], []),
  }
}

function timed(name, rows, work) {
  return async () => {
    const started = performance.now()
    rows[name] = (await work()).length
    return performance.now() - started
  }
}

function table({ milliseconds, rows }) {
  const lines = Object.entries(milliseconds).map(
    ([name, ms]) => `| ${name} | ${ms} | ${rows[name].toLocaleString('en-US')} |`,
  )
  return `${events.toLocaleString('en-US')} events of ${organizations.toLocaleString('en-US')} organizations in ${hours / 24} days; the median of five.

| query | ms | rows |
|---|---:|---:|
${lines.join('\n')}
`
}

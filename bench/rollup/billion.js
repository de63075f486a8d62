// How long DuckDB takes to rebuild hourly and daily rollups of a billion events on two threads.
// `node bench/rollup/billion.js [--events N] [--organizations N] [--days N] [--skew S] [--quick]`, after `npm run build`. Writes billion.json
// and billion.md beside itself, unless it was quick or of fewer events.
//
// A billion raw events take some 90 GB, so each day's are made just before they are rolled up and dropped after it, which is not timed. A
// rebuild goes day by day as well: it reads no more than a day at once, so the same statements run over the same rows.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listCells } from '../../dist/analytics/run/cells.js'
import { namesOf } from '../../dist/analytics/project/compile.js'
import { loadProject } from '../../dist/analytics/project/load.js'
import { insertCells } from '../../dist/analytics/run/materialize.js'
import { planDays } from '../../dist/analytics/run/plan.js'
import { withSession, withTransaction } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { round } from '../support/statistics.js'
import { drawEvents, drawTenants, migrations, root, start } from './generate.js'
import { argument, has, store } from './report.js'

const quick = has('--quick')
const events = Number(argument('--events', quick ? 10_000_000 : 1_000_000_000))
const organizations = Number(argument('--organizations', 10_000_000))
const days = Number(argument('--days', Math.max(1, Math.round(events / 33_333_333))))
const skew = Number(argument('--skew', 1.1))
const options = { events, organizations, models: 20, hours: days * 24, skew }
// Of the 12 GB, DuckDB is given what leaves room for the process around it.
const settings = { memory_limit: '10GB', threads: '2' }

const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
const cleanUp = () => rmSync(folder, { recursive: true, force: true })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit((cleanUp(), 130)))
try {
  const machine = machineFacts(null)
  const results = await measure(join(folder, 'warehouse.duckdb'))
  const report = { machine, loaded: isLoaded(machine), ...options, days, memory: '12 GB', ...results }
  store(import.meta.url, 'billion', report, table(report), quick || events < 1_000_000_000)
} finally {
  cleanUp()
}

async function measure(file) {
  return withSession(duckdb, `duckdb:${file}`, { settings }, async session => {
    for (const script of migrations('analytics')) await session.script(script)
    const project = await loadProject(join(root, 'analytics'), { root })
    const names = namesOf(project)
    const transforms = ['usage_hourly', 'usage_daily'].map(wanted =>
      project.transforms.find(({ name }) => name === wanted),
    )
    await keepTenants(session)
    const spent = { seconds: {}, cpuSeconds: {}, generated: 0 }
    const peak = { beforeGb: 0, gb: 0 }
    for (const [day, stretch] of stretches().entries()) {
      const began = performance.now()
      await drawDay(session, day)
      spent.generated += (performance.now() - began) / 1000
      peak.beforeGb = Math.max(peak.beforeGb, rssGb())
      const watch = setInterval(() => (peak.gb = Math.max(peak.gb, rssGb())), 200)
      for (const transform of transforms) {
        const cpu = process.cpuUsage()
        const started = performance.now()
        await withTransaction(session, async () =>
          insertCells(session, transform, names, await listCells(session, stretch)),
        )
        const used = process.cpuUsage(cpu)
        add(spent.seconds, transform.name, (performance.now() - started) / 1000)
        add(spent.cpuSeconds, transform.name, (used.user + used.system) / 1e6)
      }
      clearInterval(watch)
      await session.query('truncate raw.usage_events')
      await session.query('checkpoint')
      process.stderr.write(
        `day ${day + 1} of ${days}: ${Object.entries(spent.seconds)
          .map(([name, seconds]) => `${name} ${round(seconds, 1)} s`)
          .join(', ')}, making ${round(spent.generated, 0)} s\n`,
      )
    }
    return {
      seconds: rounded(spent.seconds),
      cpuSeconds: rounded(spent.cpuSeconds),
      generatedSeconds: round(spent.generated, 0),
      peakMemoryGb: round(peak.gb, 1),
      rows: await countRows(session),
      fileGb: round(statSync(file).size / 2 ** 30, 1),
    }
  })
}

/** As a rebuild plans them: whole days that together hold all time. */
function stretches() {
  const hours = Array.from({ length: days }, (_, day) => ({
    hour: new Date(Date.parse(start) + day * 86_400_000).toISOString().replace('.000Z', '.000000Z'),
    rows: Math.round(events / days),
  }))
  return planDays(hours, 1)
}

async function drawDay(session, day) {
  const bound = number => Math.ceil((number * events) / days)
  for (let from = bound(day); from < bound(day + 1); from += 10_000_000)
    await drawEvents(session, { ...options, from, until: Math.min(from + 10_000_000, bound(day + 1)) })
  await session.query('checkpoint')
}

/** In a file of their own, so that they are drawn once and hold no memory while rollups are made. */
async function keepTenants(session) {
  await drawTenants(session, options)
  await session.query(`attach '${join(folder, 'tenants.duckdb')}' as tenants`)
  for (const name of ['organization', 'model']) {
    await session.query(`create table tenants.${name} as from ${name}`)
    await session.query(`drop table ${name}`)
    await session.query(`create temp view ${name} as from tenants.${name}`)
  }
  await session.query('checkpoint tenants')
}

/** Every event must be counted, and in the right way: what is summed is known from how the events are drawn. */
async function countRows(session) {
  const { rows } = await session.query(`
    select (select count(*) from analytics.usage_hourly) as hourly, (select count(*) from analytics.usage_daily) as daily,
      (select sum(requests) from analytics.usage_hourly) as by_hour, (select sum(requests) from analytics.usage_daily) as by_day,
      (select sum(input_tokens) from analytics.usage_hourly) = (select sum(input_tokens) from analytics.usage_daily) as equal`)
  const [found] = rows
  if (Number(found.by_hour) !== events || Number(found.by_day) !== events || found.equal !== true)
    throw new Error('The rollups do not count every event.')
  return { usage_hourly: Number(found.hourly), usage_daily: Number(found.daily) }
}

function rssGb() {
  return process.memoryUsage.rss() / 2 ** 30
}

function add(sums, name, value) {
  sums[name] = (sums[name] ?? 0) + value
}

function rounded(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value, 1)]))
}

function table({ seconds, cpuSeconds, rows, peakMemoryGb, fileGb, generatedSeconds }) {
  const total = round(seconds.usage_hourly + seconds.usage_daily, 1)
  const target = round((600 * events) / 1e9, 0)
  const line = (what, value, target, met) => `| ${what} | ${value} | ${target} | ${met ? 'yes' : '**no**'} |`
  return `# ${events.toLocaleString('en')} events into hours and days

Of ${organizations.toLocaleString('en')} organizations and 20 models over ${days} days, drawn by a power law with exponent ${skew}: ${rows.usage_hourly.toLocaleString('en')} rows of hours (${round(events / rows.usage_hourly, 1)} events each)
and ${rows.usage_daily.toLocaleString('en')} of days, ${fileGb} GB. Two threads. Each day's raw events were made just before (${generatedSeconds} s in all) and dropped after it, which is not timed, so they
were read from memory as far as that holds them.

| what | measured | target | met |
|---|---|---|---|
${line('hours and days of each organization and model', `${total} s`, `≤ ${target} s`, total <= target)}
${line('most memory of the process', `${peakMemoryGb} GB`, '≤ 12 GB', peakMemoryGb <= 12)}

| rebuilt | seconds by the clock | of processor time | million events a second of it |
|---|---|---|---|
${Object.keys(seconds)
  .map(name => `| ${name} | ${seconds[name]} | ${cpuSeconds[name]} | ${round(events / cpuSeconds[name] / 1e6, 2)} |`)
  .join('\n')}
`
}

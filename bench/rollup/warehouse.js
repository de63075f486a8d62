// How fast DuckDB rebuilds rollups from raw events. `node bench/rollup/warehouse.js [--events N] [--skew S] [--quick] [--folder F [--prepare]]`,
// after `npm run build`. Writes warehouse.json and warehouse.md beside itself, unless it was quick.
// The folder keeps the generated events, so that a long run can be taken up again; without it everything goes when the script ends.
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadProject } from '../../dist/analytics/project/load.js'
import { namesOf } from '../../dist/analytics/project/compile.js'
import { rebuild } from '../../dist/analytics/run/materialize.js'
import { daysOf } from '../../dist/analytics/run/step.js'
import { withSession, withTransaction } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { median, round, takeTurns } from '../support/statistics.js'
import { argument, has, store } from './report.js'
import { fillWarehouse, migrations, root } from './generate.js'

const quick = has('--quick')
const events = Number(argument('--events', quick ? 2_000_000 : 50_000_000))
const organizations = Number(argument('--organizations', 10_000_000))
const hours = Number(argument('--hours', 24))
const skew = Number(argument('--skew', 1.1))
const rounds = Number(argument('--rounds', quick ? 1 : 3))
const threads = 2
const kept = argument('--folder', null)
const folder = kept ?? mkdtempSync(join(tmpdir(), 'plinth-bench-'))
const file = join(folder, `events-${events}.duckdb`)
const settings = { memory_limit: '12GB', threads: String(threads) }

const measures = `count(*) as requests, cast(sum(input_tokens) as bigint) as input_tokens, cast(sum(output_tokens) as bigint) as output_tokens,
  count(*) filter (where status = 'error') as errors, count(*) filter (where status = 'rate_limited') as rate_limited,
  cast(sum(latency_ms) as bigint) as latency_ms_sum, max(latency_ms) as latency_ms_max, sum(cost) as cost`

const handHourly = `select bucket_hour, organization_id, model_id, shard, ${measures} from raw.usage_events group by all`
const handPlatform = `select bucket_hour, shard, model_id, region, ${measures} from raw.usage_events group by all`

const clock = {}
const cleanUp = () => kept ?? rmSync(folder, { recursive: true, force: true })
process.once('SIGINT', () => process.exit((cleanUp(), 130)))
try {
  mkdirSync(folder, { recursive: true })
  const machine = machineFacts(null)
  const made = await generate()
  if (has('--prepare')) process.exit(0)
  const results = await measure()
  const report = {
    machine,
    loaded: isLoaded(machine),
    events,
    organizations,
    hours,
    skew,
    threads,
    memory: '12 GB',
    ...made,
    ...results,
  }
  store(import.meta.url, 'warehouse', report, table(report), quick)
} finally {
  cleanUp()
}

async function generate() {
  const ready = `${file}.ready`
  const started = performance.now()
  if (!existsSync(ready)) {
    for (const path of [file, `${file}.wal`]) rmSync(path, { force: true })
    await withSession(duckdb, `duckdb:${file}`, { settings }, async session => {
      for (const script of migrations('analytics')) await session.script(script)
      await fillWarehouse(session, {
        events,
        organizations,
        models: 20,
        hours,
        skew,
        note: done => process.stderr.write(`${done} events, ${Math.round((performance.now() - started) / 1000)} s\n`),
      })
      await session.query('checkpoint')
      await session.query(`copy (select 1) to '${ready}' (format csv)`)
    })
  }
  return {
    generatedSeconds: round((performance.now() - started) / 1000, 1),
    fileGb: round(statSync(file).size / 2 ** 30, 2),
  }
}

async function measure() {
  return withSession(duckdb, `duckdb:${file}`, { settings, waitMs: 10_000 }, async session => {
    const project = await loadProject(join(root, 'analytics'), { root })
    const names = namesOf(project)
    const source = project.sources.find(({ name }) => name === 'usage_events')
    const build = transform => async () => {
      const named = project.transforms.find(({ name }) => name === transform)
      return timed(transform, () =>
        withTransaction(session, () => rebuild(session, named, names, () => daysOf(session, source))),
      )
    }
    const byHand = (name, text) => async () => {
      await session.query(`drop table if exists ${name}`)
      return timed(name, () => session.query(`create table ${name} as ${text}`))
    }
    const contenders = {
      usage_hourly: build('usage_hourly'),
      handHourly: byHand('handHourly', handHourly),
      usage_daily: build('usage_daily'),
      platform_hourly: build('platform_hourly'),
      handPlatform: byHand('handPlatform', handPlatform),
      platform_daily: build('platform_daily'),
      ...(has('--no-sketches')
        ? {}
        : { latency_hourly: build('latency_hourly'), latency_daily: build('latency_daily') }),
    }
    const order = await takeTurns(contenders, rounds)
    const rows = {}
    for (const { name } of project.transforms.filter(({ materialized }) => materialized === 'incremental'))
      rows[name] = Number((await session.query(`select count(*) as rows from analytics.${name}`)).rows[0].rows)
    const inSeconds = found =>
      Object.fromEntries(Object.entries(found).map(([name, times]) => [name, round(median(times) / 1000, 2)]))
    const cpuSeconds = inSeconds(order)
    const seconds = inSeconds(clock)
    const correct = await session.query(
      `select (select sum(requests) from analytics.usage_hourly) = ${events} and (select sum(requests) from analytics.usage_daily) = ${events} as correct`,
    )
    if (correct.rows[0].correct !== true) throw new Error('The rollups do not count every event.')
    return { rounds, seconds, cpuSeconds, rows, peakMemoryGb: round(process.resourceUsage().maxRSS / 2 ** 20, 1) }
  })
}

/** Milliseconds of processor time over all threads: what is per core then holds on a machine that does other work as well. */
async function timed(name, work) {
  const before = process.cpuUsage()
  const started = performance.now()
  await work()
  const used = process.cpuUsage(before)
  clock[name] = [...(clock[name] ?? []), performance.now() - started]
  return (used.user + used.system) / 1000
}

function table({ seconds, cpuSeconds, rows, ...facts }) {
  const perCore = name => round(events / cpuSeconds[name] / 1e6, 2)
  const line = (what, value, target, met) => `| ${what} | ${value} | ${target} | ${met ? 'yes' : '**no**'} |`
  const lines = []
  const ratio = (hand, mine) => round(cpuSeconds[hand] / cpuSeconds[mine], 2)
  const sparse = perCore('usage_hourly')
  const dense = perCore('platform_hourly')
  lines.push(
    line('(organization, model, hour), events a second of processor time', `${sparse} M`, '≥ 1.5 M', sparse >= 1.5),
  )
  lines.push(
    line(
      '… beside SQL written by hand',
      `${ratio('handHourly', 'usage_hourly')} ×`,
      '≥ 0.8 ×',
      ratio('handHourly', 'usage_hourly') >= 0.8,
    ),
  )
  lines.push(
    line('dense (shard, model, region, hour), events a second of processor time', `${dense} M`, '≥ 5 M', dense >= 5),
  )
  lines.push(
    line(
      '… beside SQL written by hand',
      `${ratio('handPlatform', 'platform_hourly')} ×`,
      '≥ 0.8 ×',
      ratio('handPlatform', 'platform_hourly') >= 0.8,
    ),
  )
  return `# Rebuilding rollups in DuckDB

${events.toLocaleString('en')} events of ${organizations.toLocaleString('en')} organizations over ${hours} hours, drawn by a power law with exponent ${skew}: ${rows.usage_hourly.toLocaleString('en')} rows
of hours, ${rows.usage_daily.toLocaleString('en')} of days, so an hour's row holds ${round(events / rows.usage_hourly, 1)} events. ${threads} threads, ${facts.memory} of memory for DuckDB, ${facts.fileGb} GB of raw events.

| what | measured | target | met |
|---|---|---|---|
${lines.join('\n')}

| rebuilt | seconds by the clock | of processor time | rows | million events a second of it |
|---|---|---|---|---|
${Object.entries(seconds)
  .map(
    ([name, value]) =>
      `| ${name} | ${value} | ${cpuSeconds[name]} | ${rows[name]?.toLocaleString('en') ?? ''} | ${name.endsWith('daily') ? '' : perCore(name)} |`,
  )
  .join('\n')}

Days are made from hours. handHourly and handPlatform are one statement each, written by hand, which fill a new table without constraints.
`
}

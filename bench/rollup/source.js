// How fast events go from PostgreSQL into a proved rollup, and what tracking costs who writes them.
// `node bench/rollup/source.js [--events N] [--quick]`, after `npm run build`. Writes source.json and source.md beside itself, unless it
// was quick.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { loadProject } from '../../dist/analytics/project/load.js'
import { reconcile } from '../../dist/analytics/prove/reconcile.js'
import { runRollup } from '../../dist/analytics/run/run.js'
import { withSession } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { postgres } from '../../dist/engines/postgres/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withClient, withServer } from '../support/server.js'
import { median, round, takeTurns } from '../support/statistics.js'
import { eventsQuery, fillSource, makeTenants, migrations, root } from './generate.js'
import { argument, has, store } from './report.js'
import { cpuOf } from './usage.js'

const quick = has('--quick')
const hourly = 1_400_000
const count = Number(argument('--events', quick ? 100_000 : hourly * 2))
const rounds = quick ? 2 : 5
const tenants = { organizations: 10_000, models: 20 }
const day = '2026-01-05T00:00:00Z'

const results = await withServer(async server => {
  const machine = machineFacts(server.version)
  const url = await server.freshDatabase()
  await withClient(url, client => makeTenants(client, tenants))
  const tracking = await measureTracking(url)
  await withClient(url, client => fillSource(client, { ...tenants, count, hours: count / hourly, begin: day }))
  const project = await loadProject(join(root, 'analytics'), { root })
  const options = {
    source: { engine: postgres, url },
    warehouse: { engine: duckdb, url: `duckdb:${join(server.folder, 'warehouse.duckdb')}` },
    emit: () => undefined,
    owner: 'a benchmark',
  }
  const first = await measureFirst(project, options)
  const hour = await measureHour(project, options, url)
  return { machine, loaded: isLoaded(machine), quick, events: count, rounds, tracking, first, hour }
})
store(import.meta.url, 'source', results, table(results), quick)

/** COPY of ten thousand rows a statement, as a collector would send them, with the triggers that mark and without. */
async function measureTracking(url) {
  const rows = quick ? 20_000 : 100_000
  return withClient(url, async client => {
    await client.query(
      `select platform.ensure_usage_event_partitions('${day}', timestamptz '${day}' + interval '30 days')`,
    )
    const { rows: triggers } = await client.query(`
      select tgrelid::regclass::text as relation, quote_ident(tgname) as name
      from pg_trigger
      where not tgisinternal and tgfoid in (select oid from pg_proc where prosrc like '%usage_event_marks%')
        and tgrelid in (select 'platform.usage_events'::regclass union select inhrelid from pg_inherits where inhparent = 'platform.usage_events'::regclass)`)
    await client.query(
      `create unlogged table public.incoming as ${eventsQuery({ ...tenants, count: rows, hours: 2, begin: day })}`,
    )
    const copied = await text(client, 'copy public.incoming to stdout (format csv)')
    const load = state => async () => {
      for (const { relation, name } of triggers) await client.query(`alter table ${relation} ${state} trigger ${name}`)
      await client.query('truncate platform.usage_events')
      await client.query('checkpoint')
      return timed(() => copyIn(client, copied))
    }
    const times = await takeTurns({ tracked: load('enable'), untracked: load('disable') }, rounds * 2 + 1)
    for (const { relation, name } of triggers) await client.query(`alter table ${relation} enable trigger ${name}`)
    await client.query('truncate platform.usage_events, platform.usage_event_marks')
    return {
      rows,
      triggers: triggers.length,
      trackedMs: round(median(times.tracked), 1),
      untrackedMs: round(median(times.untracked), 1),
      ratio: round(median(times.tracked.map((ms, at) => ms / times.untracked[at])), 3),
    }
  })
}

async function copyIn(client, data) {
  const { from } = await import('pg-copy-streams')
  const stream = client.query(from(`copy platform.usage_events from stdin (format csv)`))
  await new Promise((resolve, reject) => stream.on('finish', resolve).on('error', reject).end(data))
}

async function text(client, query) {
  const { to } = await import('pg-copy-streams')
  const chunks = []
  for await (const chunk of client.query(to(query))) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A first load: rows, every rollup and the proof of both. */
async function measureFirst(project, options) {
  const times = []
  const used = []
  const parts = []
  let report
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    await freshWarehouse(options)
    const clock = partsClock()
    const before = cpuOf(options.source.url)
    times.push(
      await timed(async () => {
        report = await runRollup(project, { ...options, emit: clock.emit, runId: `first-${round}`, mode: 'rebase' })
      }),
    )
    used.push(cpuOf(options.source.url) - before)
    parts.push(clock.parts(used.at(-1)))
  }
  const seconds = round(median(times) / 1000, 2)
  const cpuSeconds = round(median(used), 2)
  const microseconds = Object.fromEntries(
    Object.keys(parts[0]).map(name => [name, round((median(parts.map(part => part[name])) / count) * 1e6, 2)]),
  )
  return {
    seconds,
    cpuSeconds,
    perSecond: Math.round(count / seconds),
    perCpuSecond: Math.round(count / cpuSeconds),
    microseconds,
    sketchRows: report.sources[0].tables['analytics.latency_hourly'],
  }
}

/** Seconds of processor time by what was being done; what is not this process's own is the server's. */
function partsClock() {
  const own = () => Object.values(process.cpuUsage()).reduce((sum, micros) => sum + micros, 0) / 1e6
  const spent = {}
  const began = own()
  let last = began
  const add = name => {
    const now = own()
    spent[name] = (spent[name] ?? 0) + now - last
    last = now
  }
  const names = { 'rollup.captured': 'finding what changed', 'rollup.loaded': 'raw rows' }
  return {
    emit: event => {
      if (event.type === 'rollup.replaced') add(event.table.replace(/^.*\./, ''))
      else if (names[event.type]) add(names[event.type])
    },
    parts(total) {
      add('proof of raw rows, commit, closing')
      return { 'the server': total - (last - began), ...spent }
    },
  }
}

/** An hour's events arrive through the triggers; a run takes them, and a reconciliation compares everything once more. */
async function measureHour(project, options, url) {
  const rows = quick ? 20_000 : hourly
  await withClient(url, client =>
    client.query(
      `insert into platform.usage_events ${eventsQuery({ ...tenants, from: 100_000_000, count: rows, hours: 1, begin: '2026-01-06T07:00:00Z' })}`,
    ),
  )
  const runMs = await timed(async () => {
    const report = await runRollup(project, { ...options, runId: 'hour' })
    if (report.sources[0].mode !== 'changes' || report.sources[0].rows !== rows)
      throw new Error('The hour was not loaded as a change.')
  })
  const reconcileMs = await timed(async () => {
    const report = await reconcile(project, { ...options, runId: 'reconcile', action: 'report' })
    if (report.status !== 'equal') throw new Error('The warehouse differs from its source.')
  })
  return { rows, seconds: round(runMs / 1000, 2), reconcileAllSeconds: round(reconcileMs / 1000, 2) }
}

async function freshWarehouse({ warehouse }) {
  const file = warehouse.url.slice('duckdb:'.length)
  for (const path of [file, `${file}.wal`]) rmSync(path, { force: true })
  await withSession(duckdb, warehouse.url, {}, async session => {
    for (const script of migrations('analytics')) await session.script(script)
  })
}

async function timed(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function table({ events, tracking, first, hour, machine }) {
  const line = (what, value, target, met) => `| ${what} | ${value} | ${target} | ${met ? 'yes' : '**no**'} |`
  const million = value => round(value / 1e6, 2)
  const perCore = million(first.perSecond / machine.processors)
  return `# From PostgreSQL to a proved rollup

${events.toLocaleString('en')} events of 13 columns, of 10,000 tenants and 20 models, in one server and one process on the same ${machine.processors} processors. A load copies the rows, makes
hours, days, latency sketches and platform totals, and compares every cell with the source.

| what | measured | target | met |
|---|---|---|---|
${[
  line('events a second and core, by the clock', `${perCore} M`, '≥ 0.4 M', perCore >= 0.4),
  line(
    'events a second of processor time, server and client together',
    `${million(first.perCpuSecond)} M`,
    '≥ 0.4 M',
    first.perCpuSecond >= 400_000,
  ),
  line('COPY with tracking beside COPY without', `${tracking.ratio} ×`, '≤ 1.1 ×', tracking.ratio <= 1.1),
  line(
    `an hour of data (${hour.rows.toLocaleString('en')} events) to a proved rollup`,
    `${hour.seconds} s`,
    '≤ 30 s',
    hour.seconds <= 30,
  ),
].join('\n')}

Reconciling all ${(events + hour.rows).toLocaleString('en')} events afterwards took ${hour.reconcileAllSeconds} s. The first load took ${first.seconds} s and ${first.cpuSeconds} s of processor time.
COPY was of ${tracking.rows.toLocaleString('en')} rows over two hours into the partitioned table, with its keys, checks and foreign keys.

What a load is made of, in microseconds of processor time an event; 0.4 M events a second leave 2.5 of them:

| part | µs |
|---|---|
${Object.entries(first.microseconds)
  .map(([name, value]) => `| ${name} | ${value.toFixed(2)} |`)
  .join('\n')}

Raw rows are received, taken apart, hashed for the proof and appended. The hours' sketches have ${first.sketchRows.toLocaleString('en')} rows for these events.
`
}

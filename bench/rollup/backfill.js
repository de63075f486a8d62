// What a running backfill costs those who use the source. `node bench/rollup/backfill.js [--events N] [--rate N] [--quick]`, after
// `npm run build`. Windows without and with a backfill take turns; each transaction is due at its time, whatever became of the one before,
// so a server that stalls is charged for all who waited. Writes backfill.json and backfill.md beside itself, unless it was quick.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'
import { withSession } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withClient, withServer } from '../support/server.js'
import { round } from '../support/statistics.js'
import { fillSource, makeTenants, migrations, root } from './generate.js'
import { argument, has, store } from './report.js'

const quick = has('--quick')
const count = Number(argument('--events', quick ? 200_000 : 1_500_000))
const rate = argument('--rate', undefined)
const rounds = quick ? 1 : 3
const windowMs = quick ? 5000 : 20_000
const perSecond = 100
const tenants = { organizations: 1000, models: 20 }

const insert = `
insert into platform.usage_events
  (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, region, cost)
values ($1, $2, now(), $3, $4, 10, 5, 120, 'success', 'eu-west-1', 0.000123)`

const newest = `
select sum(cost) as cost, count(*) as calls from platform.usage_events
where organization_id = $1 and occurred_at >= now() - interval '30 days'`

const results = await withServer(async server => {
  const machine = machineFacts(server.version)
  const url = await server.freshDatabase()
  await withClient(url, async client => {
    await makeTenants(client, tenants)
    await fillSource(client, { ...tenants, count, hours: 365 * 24 })
  })
  const warehouse = `duckdb:${join(server.folder, 'warehouse.duckdb')}`
  await withSession(duckdb, warehouse, {}, async session => {
    for (const script of migrations('analytics')) await session.script(script)
  })
  const environment = {
    ...process.env,
    DATABASE_URL: url,
    WAREHOUSE_URL: warehouse,
    PLINTH_STATE: join(server.folder, 'state'),
  }
  const pool = new Pool({ connectionString: url, max: 16 })
  // The server ends before the pool when something fails.
  pool.on('error', () => undefined)
  const people = await peopleOf(pool)
  await operate(pool, people, 3000)
  const without = []
  const during = []
  let rows = 0
  for (let index = 0; index < rounds; index++) {
    without.push(...(await operate(pool, people, windowMs)))
    const before = rows
    const backfill = start(environment, done => {
      rows = Math.max(rows, done)
    })
    // It reads once its first piece has begun.
    await Promise.race([backfill.begun, backfill.ended])
    during.push(...(await operate(pool, people, windowMs)))
    backfill.child.kill('SIGTERM')
    await backfill.ended
    process.stderr.write(`round ${index + 1}: ${rows - before} rows\n`)
    await sleep(500)
  }
  await pool.end()
  const figures = times => ({
    transactions: times.length,
    p50Ms: round(percentile(times, 0.5), 2),
    p95Ms: round(percentile(times, 0.95), 2),
    p99Ms: round(percentile(times, 0.99), 2),
  })
  const [a, b] = [figures(without), figures(during)]
  return {
    machine,
    loaded: isLoaded(machine),
    quick,
    events: count,
    rate: rate ?? 'default',
    perSecond,
    without: a,
    during: b,
    p95Ratio: round(b.p95Ms / a.p95Ms, 2),
  }
})
store(import.meta.url, 'backfill', results, table(results), quick)

/** Half of them write an event, half ask for a tenant's newest usage; answers milliseconds from the time at which each was due. */
async function operate(pool, people, forMs) {
  const times = []
  const began = performance.now()
  const pending = []
  for (let number = 0; number < (forMs / 1000) * perSecond; number++) {
    const dueMs = began + (number * 1000) / perSecond
    const early = dueMs - performance.now()
    if (early > 0) await sleep(early)
    const { organization_id: organization, id: key } = people.keys[number % people.keys.length]
    const asked =
      number % 2 === 0
        ? pool.query(insert, [organization, randomUUID(), key, people.models[number % people.models.length]])
        : pool.query(newest, [organization])
    pending.push(asked.then(() => times.push(performance.now() - dueMs)))
  }
  await Promise.all(pending)
  return times
}

async function peopleOf(pool) {
  const keys = await pool.query('select organization_id, id from platform.api_keys order by id limit 500')
  const models = await pool.query('select id from platform.model_registry_entries where organization_id is null')
  return { keys: keys.rows, models: models.rows.map(({ id }) => id) }
}

function start(environment, tell) {
  const flags = rate === undefined ? [] : ['--rate', rate]
  const child = spawn(
    process.execPath,
    [join(root, 'bin/plinth.js'), 'rollup', 'backfill', '--events', 'ndjson', ...flags],
    {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let begin = () => undefined
  const begun = new Promise(resolve => {
    begin = resolve
  })
  let rest = ''
  child.stderr.on('data', chunk => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.includes('"progress"')) continue
      begin()
      tell(JSON.parse(line).done ?? 0)
    }
  })
  return { child, begun, ended: new Promise(resolve => child.on('close', resolve)) }
}

function percentile(times, share) {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

function table({ without, during, p95Ratio, events, rate: limit, perSecond: paced }) {
  const line = (name, { transactions, p50Ms, p95Ms, p99Ms }) =>
    `| ${name} | ${transactions} | ${p50Ms} | ${p95Ms} | ${p99Ms} |`
  return `A backfill of ${events.toLocaleString('en-US')} events (rate: ${limit}) beside ${paced} transactions a second, half of them writes.

| | transactions | P50 ms | P95 ms | P99 ms |
|---|---|---|---|---|
${line('without', without)}
${line('during the backfill', during)}

P95 during the backfill is **${p95Ratio} ×** that without; the goal is at most 1.2.
`
}

// What late events cost. `node bench/rollup/late.js [--events N] [--quick]`, after `npm run build`. Writes late.json and late.md beside
// itself, unless it was quick.
import { join } from 'node:path'
import { loadProject } from '../../dist/analytics/project/load.js'
import { runRollup } from '../../dist/analytics/run/run.js'
import { withSession, withTransaction } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { loadCsv } from '../../dist/engines/duckdb/write.js'
import { postgres } from '../../dist/engines/postgres/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withClient, withServer } from '../support/server.js'
import { median, round } from '../support/statistics.js'
import { byHand } from './by-hand.js'
import { fillSource, makeTenants, migrations, root, start } from './generate.js'
import { argument, has, store } from './report.js'

const quick = has('--quick')
const count = Number(argument('--events', quick ? 200_000 : 10_000_000))
const rounds = quick ? 1 : 3
const days = 365
const tenants = { organizations: 10_000, models: 20 }
const lateCount = Math.round(count / 1000)

const results = await withServer(async server => {
  const machine = machineFacts(server.version)
  const url = await server.freshDatabase()
  await withClient(url, async client => {
    await makeTenants(client, tenants)
    await fillSource(client, { ...tenants, count, hours: days * 24 })
  })
  const project = await loadProject(join(root, 'analytics'), { root })
  const options = {
    source: { engine: postgres, url },
    warehouse: { engine: duckdb, url: `duckdb:${join(server.folder, 'warehouse.duckdb')}` },
    emit: () => undefined,
    owner: 'a benchmark',
  }
  await withSession(duckdb, options.warehouse.url, {}, async session => {
    for (const script of migrations('analytics')) await session.script(script)
  })
  const fullMs = await timed(() => runRollup(project, { ...options, runId: 'full' }))
  const together = await measure(project, options, url, 'together')
  const alone = await measure(project, options, url, 'alone')
  return {
    machine,
    loaded: isLoaded(machine),
    quick,
    events: count,
    late: lateCount,
    fullMs: round(fullMs, 0),
    together,
    alone,
  }
})
store(import.meta.url, 'late', results, table(results), quick)

/**
 * `together`: a collector was cut off for an hour, on every day of the year, and sends what it has kept: events of one tenant in one
 * hour. `alone`: each event is of any tenant and any hour, which is the worst there is.
 */
async function measure(project, options, url, manner) {
  const mine = []
  const hands = []
  let cells = 0
  let rows = 0
  let phases = new Map()
  for (let turn = 0; turn < rounds; turn++) {
    for (const who of turn % 2 ? ['hand', 'mine'] : ['mine', 'hand']) {
      await withClient(url, client => client.query(late(manner, turn * 2 + (who === 'hand' ? 1 : 0))))
      if (who === 'mine') {
        let report
        phases = new Map()
        const emit = ({ type, table = 'finding what changed', rows = null, durationMs }) => {
          if (!/^rollup\.(captured|loaded|replaced)$/.test(type)) return
          const known = phases.get(table) ?? { table, rows: null, durationMs: 0 }
          phases.set(table, {
            table,
            rows: rows === null ? null : known.rows + rows,
            durationMs: known.durationMs + durationMs,
          })
        }
        const run = { ...options, emit, runId: `late-${manner}-${turn}` }
        mine.push(await timed(async () => (report = await runRollup(project, run))))
        ;({ cells, rows } = report.sources[0])
      } else {
        hands.push(await timed(() => byHand(options, { withSession, withTransaction, loadCsv, postgres, duckdb })))
        // What was done by hand moved no cursor, so the next run would do it again.
        await runRollup(project, { ...options, runId: `after-${manner}-${turn}` })
      }
    }
  }
  return { cells, rows, phases: [...phases.values()], mineMs: round(median(mine), 0), handMs: round(median(hands), 0) }
}

function late(manner, turn) {
  const [hour, tenant] =
    manner === 'together'
      ? [`(n % ${days}) * 24 + (n % ${days}) * 7 % 24`, `1 + (n % ${days}) * 13 % ${tenants.organizations}`]
      : [`(n * 7919::bigint) % ${days * 24}`, `1 + (n * 104729::bigint) % ${tenants.organizations}`]
  return `
    insert into platform.usage_events
      (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, region, cost)
    select md5('organization ' || tenant)::uuid, md5('late ${manner} ${turn} ' || n)::uuid,
      timestamptz '${start}' + hour * interval '1 hour' + (n % 3600) * interval '1 second',
      md5(md5('organization ' || tenant)::uuid::text)::uuid, md5('model ' || 1 + n % ${tenants.models})::uuid, 10, 20, 300, 'eu-west-1', 0.001
    from (select n, ${hour} as hour, ${tenant} as tenant from generate_series(1, ${lateCount}) as n) as drawn`
}

async function timed(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function table({ events, late, fullMs, together, alone }) {
  const line = (what, value, target, met) => `| ${what} | ${value} | ${target} | ${met ? 'yes' : '**no**'} |`
  const percent = ms => round((ms / fullMs) * 100, 2)
  const part = (name, { cells, rows, mineMs, handMs }) => [
    line(
      `${name}: ${cells} cells of ${rows} rows, beside recomputing them by hand`,
      `${round(mineMs / handMs, 2)} × (${mineMs} ms)`,
      '≤ 1.2 ×',
      mineMs <= handMs * 1.2,
    ),
    line(`${name}: beside loading everything`, `${percent(mineMs)} %`, '≤ 1 %', percent(mineMs) <= 1),
  ]
  return `# Late events

${events.toLocaleString('en')} events over a year, of which ${late.toLocaleString('en')} (0.1 %) arrive late. *Together*: a collector was cut off for an hour, on each day of the year, and sends what
it kept. *Alone*: each late event is of any tenant in any of the year's 8760 hours. Loading everything took ${round(fullMs / 1000, 1)} s.

| what | measured | target | met |
|---|---|---|---|
${[...part('together', together), ...part('alone', alone)].join('\n')}

A cell is an hour and one of 64 shards; a mark names the organizations that changed in it, where they are few. By hand, the rows of just these organizations and hours are
looked up by their key, copied as CSV, deleted and inserted, and the same six tables are recomputed for them, the totals of the platform for their shards, without lease, cursor
and proof: that is the floor. Rows lie in the order of time, and late ones lie everywhere, so each of seven tables of up to ${round(events / 1e6, 1)} M rows has its keys read once by whoever
replaces rows in it, however few they are; that does not shrink with them.

What the last runs were made of:

| table | together: rows | ms | alone: rows | ms |
|---|---|---|---|---|
${together.phases.map((phase, index) => `| ${phase.table} | ${phase.rows ?? ''} | ${phase.durationMs} | ${alone.phases[index]?.rows ?? ''} | ${alone.phases[index]?.durationMs} |`).join('\n')}
`
}

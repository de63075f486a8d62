// How long a change takes, by `plinth rollup run` and by `dbt run` of the same project over the same rows.
// `node bench/rollup/dbt.js [--events N] [--quick]`, after `npm run build`. Needs Python 3 with venv and a package index; without them it
// says so. Writes dbt.json and dbt.md beside itself, unless it was quick.
import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { loadProject } from '../../dist/analytics/project/load.js'
import { runRollup } from '../../dist/analytics/run/run.js'
import { withSession } from '../../dist/engines/brackets.js'
import { duckdb } from '../../dist/engines/duckdb/index.js'
import { postgres } from '../../dist/engines/postgres/index.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withClient, withServer } from '../support/server.js'
import { median, round } from '../support/statistics.js'
import { eventsQuery, fillSource, makeTenants, migrations, root } from './generate.js'
import { argument, has, store } from './report.js'

const quick = has('--quick')
const count = Number(argument('--events', quick ? 50_000 : 1_000_000))
const changed = Math.round(count / 100)
const rounds = quick ? 1 : 3
const tenants = { organizations: 10_000, models: 20 }

const results = await withServer(async server => {
  const machine = machineFacts(server.version)
  const dbt = installDbt()
  if (dbt.reason) return { machine, loaded: isLoaded(machine), skipped: dbt.reason }
  const url = await server.freshDatabase()
  await withClient(url, async client => {
    await makeTenants(client, tenants)
    await fillSource(client, { ...tenants, count, hours: 48 })
  })
  const file = join(server.folder, 'warehouse.duckdb')
  const copy = join(server.folder, 'copy.duckdb')
  const folder = join(server.folder, 'analytics')
  cpSync(join(root, 'analytics'), folder, { recursive: true })
  await withSession(duckdb, `duckdb:${file}`, {}, async session => {
    for (const script of migrations('analytics')) await session.script(script)
  })
  const project = await loadProject(folder, { root: server.folder })
  const run = runId =>
    runRollup(project, {
      source: { engine: postgres, url },
      warehouse: { engine: duckdb, url: `duckdb:${file}` },
      emit: () => undefined,
      runId,
      owner: 'a benchmark',
    })
  await run('first')
  const times = { plinth: [], plinthProcess: [], dbt: [] }
  for (let turn = 0; turn < rounds; turn++) {
    await change(url, turn)
    times.plinth.push(await timed(() => run(`change ${turn}`)))
    // dbt copies no rows: it is given a warehouse whose raw rows are there already.
    cpSync(file, copy)
    times.dbt.push(
      await timed(() =>
        execFileSync(dbt.program, ['run', '--project-dir', folder, '--profiles-dir', folder, '--quiet'], {
          env: { ...process.env, PLINTH_WAREHOUSE_FILE: copy, DBT_SEND_ANONYMOUS_USAGE_STATS: 'false' },
          stdio: ['ignore', 'ignore', 'inherit'],
          timeout: 120_000,
        }),
      ),
    )
    await change(url, turn + 1000)
    times.plinthProcess.push(await timed(() => wholeProcess(server.folder, url, file)))
  }
  const medians = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, round(median(all), 0)]))
  return { machine, loaded: isLoaded(machine), quick, events: count, changed, rounds, dbt: dbt.version, ...medians }
})
store(import.meta.url, 'dbt', results, table(results), quick)

/** A hundredth of the rows arrive, all in one hour. */
function change(url, turn) {
  const from = 1_000_000_000 + turn * changed
  return withClient(url, client =>
    client.query(
      `insert into platform.usage_events ${eventsQuery({ ...tenants, from, count: changed, hours: 1, begin: '2026-01-02T07:00:00Z' })}`,
    ),
  )
}

/** From the start of a process to its end, as an operator or cron would run it. */
function wholeProcess(folder, url, file) {
  execFileSync(process.execPath, [join(root, 'bin/plinth.js'), 'rollup', 'run', '--quiet'], {
    cwd: root,
    env: { ...process.env, DATABASE_URL: url, WAREHOUSE_URL: `duckdb:${file}`, PLINTH_STATE: join(folder, 'state') },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** The one that the peer tests run beside Plinth, installed once. */
function installDbt() {
  try {
    execFileSync('bash', [join(root, 'scripts/peers/dbt.sh')], { stdio: 'ignore', timeout: 120_000 })
    const program = join(root, '.plinth/peers/dbt/bin/dbt')
    const said = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 60_000 })
    return { program, version: said.replace(/\s+/g, ' ').trim() }
  } catch {
    return { reason: 'There is no Python with venv here, or no package index from which dbt-duckdb can be installed.' }
  }
}

async function timed(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

function table({ skipped, events, changed, plinth, plinthProcess, dbt }) {
  if (skipped) return `# Beside dbt\n\n${skipped}\n`
  const line = (what, ms) =>
    `| ${what} | ${ms} ms | ${round(dbt / ms, 1)} × | ≥ 5 × | ${dbt >= ms * 5 ? 'yes' : '**no**'} |`
  return `# Beside dbt

${events.toLocaleString('en')} events in 48 hours; ${changed.toLocaleString('en')} more arrive in one of them. \`dbt run\` (dbt-duckdb) takes ${dbt} ms to run the same project over the same warehouse, in which the
raw rows stand already: it copies none, and compares none with the source. Plinth copies the changed cells from PostgreSQL, replaces them in every table and
proves them.

| what | median | faster than dbt | target | met |
|---|---|---|---|---|
${line('a run in a process that is there, as under `plinth serve`', plinth)}
${line('`plinth rollup run`, from the start of a process to its end', plinthProcess)}
`
}

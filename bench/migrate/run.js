// How fast migrations are applied and how soon a command answers. `node bench/migrate/run.js [--quick]`, after `npm run build`.
// Writes results.json and results.md beside itself, unless it was quick.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withServer } from '../support/server.js'
import { beyond, compare, summary, takeTurns } from '../support/statistics.js'
import { hasPsql, installDbmate, makeProject, plinth, plinthApart, psqlSession, wholeProcess } from './contenders.js'
import { generateMigrations, writePairs, writeSections } from './generate.js'
import { writeTable } from './report.js'

const quick = process.argv.includes('--quick')
const count = 300
const rounds = quick ? 3 : 7
const starts = quick ? 5 : 21

const results = await withServer(measure)
const table = writeTable(results)
process.stdout.write(table)
if (!quick) {
  const place = name => fileURLToPath(new URL(name, import.meta.url))
  writeFileSync(place('results.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(place('results.md'), table)
}

async function measure(server) {
  const machine = machineFacts(server.version)
  const migrations = generateMigrations(count)
  writePairs(join(server.folder, 'pairs'), migrations)
  writeSections(join(server.folder, 'sections'), migrations)
  return {
    machine,
    loaded: isLoaded(machine),
    quick,
    migrations: count,
    rounds,
    startRounds: starts,
    apart: await applyApart(server, migrations),
    whole: await applyWhole(server),
    start: await startUp(server),
  }
}

/** The same files, process start apart. */
async function applyApart(server, migrations) {
  const psql = hasPsql()
  if (psql === null) return { skipped: 'There is no psql on this machine.' }
  const times = await takeTurns(
    {
      plinth: () => onFreshDatabase(server, url => plinthApart(url, join(server.folder, 'pairs'), migrations)),
      psql: () => onFreshDatabase(server, url => psqlSession(url, join(server.folder, 'pairs'), migrations)),
    },
    rounds,
  )
  return { psqlVersion: psql, target: 1.15, ...compare(times.plinth, times.psql), ...summaries(times) }
}

/** From the start of a process to its end. */
async function applyWhole(server) {
  const dbmate = installDbmate(server.folder)
  if (dbmate.reason) return { skipped: dbmate.reason }
  // Both read the URL from the environment, since arguments are everybody's to read.
  const options = url => ({ cwd: server.folder, env: { ...process.env, DATABASE_URL: url } })
  const up = ['--migrations-dir', join(server.folder, 'sections'), '--no-dump-schema', 'up']
  const whole = (program, args) => onFreshDatabase(server, url => wholeProcess(program, args, options(url)))
  const times = await takeTurns(
    {
      plinth: () => whole(process.execPath, [plinth, 'apply', '--dir', join(server.folder, 'pairs')]),
      dbmate: () => whole(process.execPath, [dbmate.script, ...up]),
      dbmateProgram: () => whole(dbmate.program, up),
    },
    rounds,
  )
  return {
    dbmateVersion: dbmate.version,
    target: 1,
    ...compare(times.plinth, times.dbmate),
    besideProgram: compare(times.plinth, times.dbmateProgram),
    ...summaries(times),
  }
}

/** A command that has nothing to do, beside Node that has nothing to do. */
async function startUp(server) {
  const small = await projectWith(server, 10)
  const large = await projectWith(server, count)
  const node = (args, cwd) => wholeProcess(process.execPath, args, { cwd })
  const times = await takeTurns(
    {
      node: () => node(['-e', '0'], server.folder),
      help: () => node([plinth, '--help'], server.folder),
      status: () => node([plinth, 'status'], small),
      statusOfAll: () => node([plinth, 'status'], large),
      applyNothing: () => node([plinth, 'apply'], small),
    },
    starts,
  )
  return {
    targetMs: 60,
    help: beyond(times.help, times.node),
    status: beyond(times.status, times.node),
    statusOfAll: beyond(times.statusOfAll, times.node),
    applyNothing: beyond(times.applyNothing, times.node),
    ...summaries(times),
  }
}

async function projectWith(server, amount) {
  const project = join(server.folder, `project-${amount}`)
  mkdirSync(project)
  writePairs(join(project, 'migrations'), generateMigrations(amount))
  makeProject(project, await server.freshDatabase(), 'migrations')
  await wholeProcess(process.execPath, [plinth, 'apply'], { cwd: project })
  return project
}

async function onFreshDatabase(server, work) {
  const url = await server.freshDatabase()
  try {
    return await work(url)
  } finally {
    await server.dropDatabase(url)
  }
}

function summaries(times) {
  return { times: Object.fromEntries(Object.entries(times).map(([name, values]) => [name, summary(values)])) }
}

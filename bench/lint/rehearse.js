// How long a rehearsal takes behind 200 migrations: with no server yet, with a server that never saw the history, and when everything is there.
//   node bench/lint/rehearse.js [--write]     writes bench/lint/rehearse.json
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateMigrations, writePairs } from '../migrate/generate.js'
import { isLoaded, machineFacts } from '../support/machine.js'
import { median } from '../support/statistics.js'

const plinth = join(import.meta.dirname, '../../bin/plinth.js')
const historyLength = 200
const limits = { coldMsMax: 6000, warmMsMax: 1000 }

const folder = mkdtempSync(join(tmpdir(), 'plinth-bench-'))
const migrationsFolder = join(folder, 'db/migrations/operational')
const migrations = generateMigrations(historyLength + 1)
const last = fileOf(migrations[historyLength])

try {
  const result = measure()
  console.log(JSON.stringify(result, null, 2))
  if (process.argv.includes('--write'))
    writeFileSync(join(import.meta.dirname, 'rehearse.json'), `${JSON.stringify(result, null, 2)}\n`)
  process.exitCode = result.coldMs < limits.coldMsMax && result.warmMs < limits.warmMsMax ? 0 : 1
} finally {
  run(['stop'])
  rmSync(folder, { recursive: true, force: true })
}

/** Times are those of whole processes, as an editor or a CI job sees them. */
function measure() {
  writeProject()
  const coldMs = timed(['rehearse', last])
  const { data } = JSON.parse(run(['rehearse', last, '--json']).stdout)
  const machine = machineFacts(String(data.tracks[0].forecast.serverVersion))
  const warm = Array.from({ length: 7 }, () => timed(['rehearse', last]))
  appendFileSync(last, "\ncomment on schema public is 'edited';\n")
  const editedMs = timed(['rehearse', last])
  appendFileSync(fileOf(migrations[150]), "\ncomment on schema public is 'edited before';\n")
  const olderEditedMs = timed(['rehearse', last])
  const lintWarm = Array.from({ length: 7 }, () => timed(['lint', last]))
  return {
    question: `How long does a rehearsal behind ${historyLength} migrations take?`,
    machine,
    loaded: isLoaded(machine),
    ...limits,
    coldMs,
    warmMs: median(warm),
    lastFileEditedMs: editedMs,
    olderFileEditedMs: olderEditedMs,
    lintWarmMs: median(lintWarm),
  }
}

function writeProject() {
  mkdirSync(join(folder, 'configs'))
  writeFileSync(join(folder, 'configs/migrate.yaml'), 'version: 1\nproject: bench\ntracks:\n  operational: {}\n')
  writePairs(migrationsFolder, migrations)
}

function timed(args) {
  const started = performance.now()
  const { status, stderr } = run(args)
  const ms = Math.round(performance.now() - started)
  if (status !== 0 && args[0] !== 'lint') throw new Error(stderr)
  return ms
}

function run(args) {
  return spawnSync(process.execPath, [plinth, ...args, '--quiet'], {
    cwd: folder,
    encoding: 'utf8',
    env: withoutSettings(process.env),
  })
}

function fileOf({ version, slug }) {
  return join(migrationsFolder, `${version}_${slug}.up.sql`)
}

/** Nothing around the benchmark decides what it measures. */
function withoutSettings(environment) {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(DATABASE_URL|PLINTH_|PG[A-Z])/.test(name)),
  )
}

// Who takes part: each brings an empty database to the end of the same history and answers its milliseconds.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const plinth = fileURLToPath(new URL('../../bin/plinth.js', import.meta.url))
const apart = fileURLToPath(new URL('apply-apart.js', import.meta.url))

/** Milliseconds from start to end of a process that must end well. */
export async function wholeProcess(command, args, options = {}) {
  const { statuses = [0], ...rest } = options
  const started = performance.now()
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...rest })
  let complaint = ''
  child.stderr?.on('data', chunk => (complaint = `${complaint}${chunk}`.slice(-2000)))
  const status = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const ms = performance.now() - started
  if (!statuses.includes(status)) throw new Error(`${args.slice(0, 2).join(' ')} ended with ${status}: ${complaint}`)
  return ms
}

/** The same files through one open psql session, one transaction each; milliseconds from the first file to the last commit. */
export async function psqlSession(url, folder, migrations) {
  const script = join(folder, 'all.sql')
  const file = ({ version, slug }) => `begin;\n\\ir ${version}_${slug}.up.sql\ncommit;`
  writeFileSync(script, migrations.map(file).join('\n'))
  const { address, password } = apartFromPassword(url)
  const child = spawn('psql', ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', address], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...(password ? { PGPASSWORD: password } : {}) },
  })
  let said = ''
  let complaint = ''
  const wakers = []
  child.stdout.on('data', chunk => {
    said += chunk
    for (const wake of wakers) wake()
  })
  child.stderr.on('data', chunk => (complaint += chunk))
  const saying = word =>
    new Promise((resolve, reject) => {
      const look = () => said.includes(word) && resolve(performance.now())
      wakers.push(look)
      child.once('close', () => reject(new Error(`psql ended early: ${complaint.slice(-2000)}`)))
      look()
    })
  child.stdin.write('select 1;\n\\echo ready\n')
  await saying('ready')
  const started = performance.now()
  child.stdin.write(`\\i ${script}\n\\echo done\n`)
  const ended = await saying('done')
  child.stdin.end('\\q\n')
  await new Promise(resolve => child.once('close', resolve))
  rmSync(script)
  return ended - started
}

/** Arguments are everybody's to read, so a password goes by the environment. */
function apartFromPassword(url) {
  const address = new URL(url)
  const password = decodeURIComponent(address.password)
  address.password = ''
  return { address: address.toString(), password }
}

/** The same as {@link psqlSession} by Plinth in a process that is ready. */
export async function plinthApart(url, folder, migrations) {
  const env = { ...process.env, DATABASE_URL: url }
  const { status, stdout, stderr } = spawnSync(process.execPath, [apart, folder], { encoding: 'utf8', env })
  if (status !== 0) throw new Error(stderr.slice(-2000))
  const { steps, ms } = JSON.parse(stdout)
  if (steps !== migrations.length) throw new Error(`Plinth applied ${steps} of ${migrations.length}.`)
  return ms
}

export function hasPsql() {
  return spawnSync('psql', ['--version'], { encoding: 'utf8' }).stdout?.trim() || null
}

/** Installs dbmate from npm into a folder of its own. Answers `{ script, program, version }`: what npm puts on the path, and the program that it starts; or `{ reason }` where it cannot be had. */
export function installDbmate(folder) {
  const home = mkdtempSync(join(folder, 'dbmate-'))
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  const options = { cwd: home, encoding: 'utf8', timeout: 120_000 }
  const installed = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', 'dbmate@2'], options)
  if (installed.status !== 0) return { reason: 'The npm package dbmate could not be installed.' }
  const script = join(home, 'node_modules/dbmate/dist/cli.js')
  const program = spawnSync(process.execPath, ['--input-type=module', '-e', findBinary], options).stdout?.trim()
  const version = spawnSync(process.execPath, [script, '--version'], options).stdout?.trim()
  return version && program
    ? { script, program, version }
    : { reason: 'The npm package dbmate has no program for this platform.' }
}

const findBinary = "console.log((await import('dbmate')).resolveBinary())"

/** A project with a configuration and a state folder, as `plinth up` leaves one. */
export function makeProject(folder, url, migrations) {
  mkdirSync(join(folder, 'configs'), { recursive: true })
  mkdirSync(join(folder, '.plinth'), { recursive: true })
  writeFileSync(
    join(folder, 'configs/migrate.yaml'),
    `version: 1
project: bench
environments:
  local: {}
tracks:
  operational:
    engine: postgres
    migrations: ${migrations}
    database: ${url}
migrations:
  lockTimeoutSeconds: 5
`,
  )
}

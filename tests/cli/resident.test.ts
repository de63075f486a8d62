/**
 * A process that stays answers calls of lint as a process of their own would, byte for byte, and is gone when nobody wants it any more. Runs the
 * compiled code.
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import {
  alike,
  allowed,
  ask,
  base,
  byText,
  callsAnswered,
  configuration,
  dismissAtEnd,
  files,
  gone,
  inhabited,
  ready,
  residentsOf,
  up,
} from '../support/resident.ts'

test('calls are answered as by a process of their own: words, folder, environment and configuration are those of each', async () => {
  const folder = await inhabited({ 'other.sql': 'create table t (a json);\nselect from;\n' })
  expect((await alike(folder, byText)).stdout).toContain('type-char')
  expect((await alike(folder, ['lint', 'nowhere.sql', '--no-rehearsal'])).status).toBe(2)
  expect((await alike(folder, ['lint', '--no-such-option'])).status).toBe(2)
  expect((await alike(folder, ['lint', '--help'])).stdout).toContain('Usage')
  expect((await alike(folder, ['lint', '--rules', '--json'])).stdout).toContain('type-json')
  expect((await alike(folder, ['lint', 'other.sql', '--no-rehearsal', '--format', 'sarif'])).status).toBe(4)
  const inside = await alike(folder, ['lint', '.', '--no-rehearsal'], { cwd: join(folder, 'm') })
  expect(inside.stdout).toMatch(/^1_users/m)

  const coloured = await alike(folder, byText, { env: { NO_COLOR: '', FORCE_COLOR: '1' } })
  expect(coloured.stdout).toContain('\u001B[')
  expect((await alike(folder, byText)).stdout).not.toContain('\u001B[')
  const plain = await alike(folder, [...byText, '--no-color'], { env: { NO_COLOR: '', FORCE_COLOR: '1' } })
  expect(plain.stdout).not.toContain('\u001B[')

  const unknown = await alike(folder, byText, { env: { PLINTH_ENV: 'nowhere' } })
  expect(unknown).toMatchObject({ status: 2, stderr: expect.stringContaining('ENVIRONMENT_UNKNOWN') as string })
  expect((await alike(folder, byText)).status).toBe(0)

  writeFileSync(join(folder, 'configs/migrate.yaml'), `${configuration}  rules:\n    type-char: error\n`)
  expect((await alike(folder, byText)).status).toBe(4)
  writeFileSync(join(folder, 'm/1_users.up.sql'), up.replace('char(2)', 'json   '))
  expect((await alike(folder, byText)).stdout).toContain('type-json')
  writeFileSync(join(folder, 'configs/migrate.yaml'), 'version: 1\nwrong: 1\n')
  expect((await alike(folder, byText)).stderr).toContain('CONFIG_INVALID')
})

test('standard input is handed over, also where nobody takes it', async () => {
  const folder = await inhabited()
  const text = `create table notes (id bigint primary key, body json);\n${'-- more\n'.repeat(100_000)}`
  const answer = async (env: Readonly<Record<string, string>>) => {
    const { child, ended } = startPlinth(['lint', '-', '--no-rehearsal'], { cwd: folder, env, input: 'piped' })
    child.stdin?.end(text)
    const { status, stdout, stderr } = await ended
    return { status, stdout, stderr }
  }
  const before = await callsAnswered(folder)
  const asked = await answer(allowed)
  expect(await callsAnswered(folder)).toBe(before + 1)
  expect(asked.stdout).toContain('type-json')
  expect(await answer({})).toEqual(asked)
  // Another library path is read when a process starts, so this one is sent away after it has read its input.
  expect(await answer({ ...allowed, LC_ALL: 'C' })).toEqual(asked)
  expect(await callsAnswered(folder)).toBe(before + 1)
})

test('calls at the same time are all answered rightly', async () => {
  const names = Array.from({ length: 6 }, (_, at) => `table_${at}`)
  const folder = await inhabited(
    Object.fromEntries(names.map(name => [`${name}.sql`, `create table ${name} (id bigint primary key, a json);\n`])),
  )
  const answers = await Promise.all(names.map(name => ask(folder, ['lint', `${name}.sql`, '--no-rehearsal'])))
  for (const [at, { stdout, status }] of answers.entries()) {
    expect(status).toBe(0)
    expect(stdout).toContain(`${names[at]}.sql:1`)
    for (const other of names) if (other !== names[at]) expect(stdout).not.toContain(other)
  }
})

test('a large answer arrives whole, and a reader may leave early', async () => {
  const table = (at: number) => `create table t${at} (id int primary key, a json, b char(3), c money);\n`
  const folder = await inhabited({ 'long.sql': Array.from({ length: 1500 }, (_, at) => table(at)).join('') })
  const { stdout } = await alike(folder, ['lint', 'long.sql', '--no-rehearsal', '--format', 'json'])
  expect(stdout.length).toBeGreaterThan(1_000_000)
  const early = startPlinth(['lint', 'long.sql', '--no-rehearsal'], { cwd: folder, env: allowed })
  early.child.stdout?.destroy()
  expect((await early.ended).status).toBe(0)
  expect((await alike(folder, byText)).status).toBe(0)
})

test('rehearsals find the server as they would alone, and others find their databases free', async () => {
  const folder = await inhabited({
    'new.sql': `create table posts (id bigint primary key, author bigint references users);\n`,
    'odd.sql': `set search_path = pg_catalog;\nprepare mine as select 1;\nselect pg_advisory_lock(7);\ncreate temp table posts (n int);\n`,
    'index.sql': 'create index concurrently users_home_idx on users (home);\n',
  })
  await plinth(['lint', '--all'], { cwd: folder })
  await ready(folder)
  for (const file of ['new.sql', 'odd.sql', 'new.sql', 'odd.sql', 'index.sql', 'new.sql']) {
    const { stdout } = await alike(folder, ['lint', file, 'm'])
    expect(stdout).toContain('rehearsed on PostgreSQL')
  }
  await alike(folder, ['lint', 'new.sql', 'm', '--json'])
  const pid = await ready(folder)
  expect((await plinth(['stop', '--json'], { cwd: folder })).json.data).toEqual({ stopped: true, resident: 'ended' })
  await gone(pid)
})

test('one that was killed leaves nothing in the way of the next', async () => {
  const folder = await inhabited()
  const pid = await ready(folder)
  process.kill(pid, 'SIGKILL')
  await gone(pid)
  expect(existsSync(join(folder, '.plinth/resident/lint'))).toBe(true)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  expect(await ready(folder)).not.toBe(pid)
  expect((await alike(folder, byText)).status).toBe(0)
})

test('one that does not answer is not waited for', async () => {
  const folder = await inhabited()
  const pid = await ready(folder)
  process.kill(pid, 'SIGSTOP')
  try {
    expect((await ask(folder, byText)).stdout).toContain('type-char')
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  expect(await ready(folder)).toBe(pid)
})

test('there is only one of a project, whoever starts them', async () => {
  const folder = temporaryFolder(files)
  dismissAtEnd(folder)
  const other = await inhabited()
  await Promise.all(Array.from({ length: 4 }, () => ask(folder, byText)))
  const pid = await ready(folder)
  expect(pid).not.toBe(await ready(other))
  // Those who came too late are still on their way out.
  while (residentsOf(folder).length > 1) await sleep(20)
  expect(residentsOf(folder)).toEqual([pid])
})

test('`plinth doctor` tells of it and `plinth stop` ends it', async () => {
  const folder = await inhabited()
  const pid = await ready(folder)
  expect((await plinth(['doctor'], { cwd: folder })).stdout).toContain(`process ${pid}`)
  const { json } = await plinth(['stop', '--json'], { cwd: folder })
  expect(json.data).toEqual({ stopped: false, resident: 'ended' })
  await gone(pid)
  expect(readdirSync(join(folder, '.plinth/resident'))).toEqual([])
  expect((await plinth(['stop', '--json'], { cwd: folder })).json.data).toEqual({ stopped: false, resident: 'none' })
})

test('it ends when its folder is removed or moved away', async () => {
  const removed = await inhabited()
  const moved = await inhabited()
  const pids = [await ready(removed), await ready(moved)]
  rmSync(removed, { recursive: true })
  renameSync(join(moved, '.plinth'), join(moved, 'elsewhere'))
  await Promise.all(pids.map(gone))
})

test('it holds neither the folder, the streams nor the environment of whoever started it, and no secret is in its own', async () => {
  const folder = temporaryFolder(files)
  dismissAtEnd(folder)
  await ask(folder, byText, { DATABASE_URL: 'postgres://someone:secret@127.0.0.1:1/none' })
  const pid = await ready(folder)
  await alike(folder, byText, { env: { STORY_SECRET: 'secret' } })
  if (process.platform === 'linux') {
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('secret')
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[6]).toBe('0')
  }
  const { mode } = statSync(join(folder, '.plinth/resident'))
  expect(mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, '.plinth/resident/lint')).mode & 0o777).toBe(0o600)
})

test.each([
  ['CI is set', {}, { CI: 'true' }],
  ['a variable refuses it', {}, { PLINTH_RESIDENT: 'off' }],
  ['the configuration refuses it', { 'configs/migrate.yaml': `${base}lint:\n  resident: off\n` }, {}],
  ['there is no server that stays, and nobody asked for it', { 'configs/migrate.yaml': base }, {}],
  ['Node is told otherwise', {}, { NODE_OPTIONS: '--no-warnings' }],
] as const)('none is started where %s', async (_, more, env) => {
  const folder = temporaryFolder({ ...files, ...more })
  await ask(folder, byText, env)
  expect(residentsOf(folder)).toEqual([])
  expect(existsSync(join(folder, '.plinth/resident'))).toBe(false)
})

test('one that the configuration refuses by now answers once more, and ends', async () => {
  const folder = await inhabited()
  const pid = await ready(folder)
  writeFileSync(join(folder, 'configs/migrate.yaml'), `${base}lint:\n  resident: off\n`)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  await gone(pid)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  expect(residentsOf(folder)).toEqual([])
})

test('what rewrites files is done by a process of its own', async () => {
  const folder = await inhabited()
  const before = await callsAnswered(folder)
  expect((await ask(folder, [...byText, '--update-baseline'])).status).toBe(0)
  expect(existsSync(join(folder, 'lint-baseline.json'))).toBe(true)
  expect(await callsAnswered(folder)).toBe(before)
  expect((await alike(folder, byText)).stdout).toContain('allowed')
})

test('a folder that others may enter is not trusted', async () => {
  const folder = await inhabited()
  const before = await callsAnswered(folder)
  chmodSync(join(folder, '.plinth/resident'), 0o755)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  chmodSync(join(folder, '.plinth/resident'), 0o700)
  expect(await callsAnswered(folder)).toBe(before)
})

test('whoever goes away cancels his call, and the next one is answered', async () => {
  const folder = await inhabited()
  const { child, ended } = startPlinth(byText, { cwd: folder, env: { ...allowed, STORY_CALL: 'killed' } })
  child.kill('SIGKILL')
  await ended
  await ready(folder)
  expect((await alike(folder, byText)).status).toBe(0)
})

test('one that speaks otherwise is not understood, and harms nobody', async () => {
  const folder = await inhabited()
  const socket = connect(join(folder, '.plinth/resident/lint'))
  socket.on('error', () => undefined).write(createHash('sha256').update('noise').digest())
  await new Promise(resolve => socket.once('close', resolve))
  expect((await alike(folder, byText)).status).toBe(0)
})

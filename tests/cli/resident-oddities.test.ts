/** Whatever is wrong with a process that stays, its callers get their answer: they ask it no more, or do the work themselves. Runs the compiled code. */
import { chownSync, cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { whoIsResident } from '../../src/cli/resident/tell.ts'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import {
  alike,
  allowed,
  ask,
  byText,
  callsAnswered,
  dismissAtEnd,
  files,
  gone,
  inhabited,
  ready,
  residentsOf,
} from '../support/resident.ts'

const repository = join(import.meta.dirname, '../..')
const sleepy = { 'sleepy.sql': 'select pg_catalog.pg_sleep(3);\ncreate table naps (id bigint primary key, a json);\n' }

/** The same code, built elsewhere: what a global install, another checkout or the last version is. */
function anotherBuild(): string {
  const folder = temporaryFolder()
  for (const part of ['bin', 'dist/bundle', 'package.json'])
    cpSync(join(repository, part), join(folder, part), { recursive: true })
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'bin/plinth.js')
}

async function busy(folder: string): Promise<number> {
  for (;;) {
    const who = await whoIsResident(join(folder, '.plinth'))
    if (who?.busy === 'yes') return who.pid
    await sleep(10)
  }
}

test('one of another build is not asked, and answers its own callers', async () => {
  const other = anotherBuild()
  const folder = temporaryFolder(files)
  dismissAtEnd(folder)
  const theirs = { cwd: folder, env: allowed, program: other }
  await plinth(byText, theirs)
  const pid = await ready(folder)
  const before = await callsAnswered(folder)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  expect(await callsAnswered(folder)).toBe(before)
  const answered = await plinth([...byText, '--format', 'json'], theirs)
  expect(answered.stdout).toContain('type-char')
  expect(await callsAnswered(folder)).toBe(before + 1)
  expect(await ready(folder)).toBe(pid)
})

test('one whose program was built anew ends, and the next caller starts another', async () => {
  const program = anotherBuild()
  const folder = temporaryFolder(files)
  dismissAtEnd(folder)
  const call = (format: string) => plinth([...byText, '--format', format], { cwd: folder, env: allowed, program })
  await call('human')
  const old = await ready(folder)
  writeFileSync(join(program, '../../dist/bundle/digest.txt'), 'another')
  expect((await call('json')).stdout).toContain('type-char')
  await gone(old)
  expect((await call('github')).stdout).toContain('type-char')
  expect(await ready(folder)).not.toBe(old)
})

test('an interruption of the caller ends the work and not the one who does it', async () => {
  const folder = await inhabited(sleepy)
  await ask(folder, ['lint', '--all'])
  const pid = await ready(folder)
  const { child, ended } = startPlinth(['lint', 'sleepy.sql'], { cwd: folder, env: allowed })
  expect(await busy(folder)).toBe(pid)
  child.kill('SIGINT')
  const { status, stderr } = await ended
  expect(status).toBe(130)
  expect(stderr).toContain('INTERRUPTED')
  expect(await ready(folder)).toBe(pid)
  await alike(folder, byText)
})

test('one that dies while it answers has its caller do the work', async () => {
  const folder = await inhabited(sleepy)
  await ask(folder, ['lint', '--all'])
  await ready(folder)
  const { ended } = startPlinth(['lint', 'sleepy.sql'], { cwd: folder, env: allowed })
  const pid = await busy(folder)
  process.kill(pid, 'SIGKILL')
  const { status, stdout } = await ended
  await gone(pid)
  expect(stdout).toContain('type-json')
  expect(stdout).toContain('rehearsed on PostgreSQL')
  expect(status).toBe(0)
})

test.skipIf(process.getuid?.() !== 0)('a folder of another user is not entered, whatever listens there', async () => {
  const folder = await inhabited()
  const before = await callsAnswered(folder)
  chownSync(join(folder, '.plinth/resident'), 65_534, 65_534)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  chownSync(join(folder, '.plinth/resident'), 0, 0)
  expect(await callsAnswered(folder)).toBe(before)
})

test('a link to a folder elsewhere is not followed', async () => {
  const folder = await inhabited()
  const elsewhere = temporaryFolder()
  const before = await callsAnswered(folder)
  const own = join(folder, '.plinth/resident')
  renameSync(own, join(elsewhere, 'resident'))
  symlinkSync(join(elsewhere, 'resident'), own)
  expect((await ask(folder, byText)).stdout).toContain('type-char')
  rmSync(own)
  renameSync(join(elsewhere, 'resident'), own)
  expect(await callsAnswered(folder)).toBe(before)
})

test('whoever says yes and then nothing more, or nonsense, is not believed once he has gone', async () => {
  const folder = temporaryFolder(files)
  const place = join(folder, '.plinth/resident')
  mkdirSync(place, { mode: 0o700 })
  const heard: string[] = []
  const impostor = createServer(socket => {
    socket
      .on('error', () => undefined)
      .once('data', (bytes: Buffer) => {
        heard.push(bytes.toString('latin1', 5, 18))
        const yes = Buffer.from([121, 0, 0, 0, 0])
        socket.end(heard.length === 1 ? yes : Buffer.concat([yes, Buffer.from('nonsense')]))
      })
  })
  await new Promise<void>(resolve => impostor.listen(join(place, 'lint'), resolve))
  onTestFinished(() => void impostor.close())
  for (const format of ['human', 'json']) {
    expect((await ask(folder, [...byText, '--format', format])).stdout).toContain('type-char')
  }
  expect(heard).toEqual(['{"ask":"lint"', '{"ask":"lint"'])
  expect(residentsOf(folder)).toEqual([])
})

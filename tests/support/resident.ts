/** A project in which a process stays to answer lint, for tests. That it was the resident who answered is known by its own count. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { dismissResident, whoIsResident } from '../../src/cli/resident/tell.ts'
import { isAlive } from '../../src/engines/postgres/embedded/postmaster.ts'
import { plinth, type RunOptions, temporaryFolder } from './cli.ts'

export const up = 'create table users (id bigint primary key, home char(2));\n'
export const base = 'version: 1\nproject: story\ntracks:\n  operational:\n    migrations: m\n'
export const configuration = `${base}lint:\n  resident: on\n`
export const files = {
  'configs/migrate.yaml': configuration,
  'm/1_users.up.sql': up,
  'm/1_users.down.sql': 'drop table users;\n',
  '.plinth/.gitignore': '*\n',
}
export const allowed = { PLINTH_RESIDENT: '' }
export const byText = ['lint', '--all', '--no-rehearsal'] as const

let calls = 0

/** No two calls ask the same, so that none is answered from what was printed before. */
export function ask(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return plinth(args, { cwd, env: { ...allowed, STORY_CALL: `${calls++}`, ...env } })
}

/** Of a project whose resident is ready; it is dismissed when the test ends. */
export async function inhabited(more: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = temporaryFolder({ ...files, ...more })
  dismissAtEnd(folder)
  await ask(folder, byText)
  await ready(folder)
  return folder
}

export function dismissAtEnd(folder: string): void {
  onTestFinished(async () => void (await dismissResident(join(folder, '.plinth'))))
}

export async function ready(folder: string): Promise<number> {
  for (;;) {
    const who = await whoIsResident(join(folder, '.plinth'))
    if (who?.busy === 'no') return who.pid
    await sleep(20)
  }
}

export async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(20)
}

export async function callsAnswered(folder: string): Promise<number> {
  return (await whoIsResident(join(folder, '.plinth')))?.callsAnswered ?? -1
}

/** Asks both, and holds one against the other. */
export async function alike(folder: string, args: readonly string[], { cwd = folder, env = {} }: RunOptions = {}) {
  const before = await callsAnswered(folder)
  const { status, stdout, stderr } = await ask(cwd, args, env)
  expect(await callsAnswered(folder)).toBe(before + 1)
  const own = await plinth(args, { cwd, env })
  expect({ status, stdout, stderr }).toEqual({ status: own.status, stdout: own.stdout, stderr: own.stderr })
  return { status, stdout, stderr }
}

/** Every one that is there, or about to be. */
export function residentsOf(folder: string): number[] {
  const listed = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  return listed
    .filter(line => line.trimEnd().endsWith(` ${join(folder, '.plinth')}`))
    .map(line => Number.parseInt(line, 10))
}

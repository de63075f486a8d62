import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { remember } from '../../src/config/remember.ts'

function project(state: 'with a state folder' | 'without one'): { root: string; file: string } {
  const root = mkdtempSync(join(tmpdir(), 'plinth-remember-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  if (state === 'with a state folder') mkdirSync(join(root, '.plinth'))
  const file = join(root, 'plinth.yaml')
  writeFileSync(file, 'version: 1\nproject: shop\n')
  return { root, file }
}

function counting(): { reads: number; read: () => Promise<{ project: string }> } {
  const counter = { reads: 0, read: async () => ({ project: `shop ${++counter.reads}` }) }
  return counter
}

test('a file is read once until its bytes change', async () => {
  const { root, file } = project('with a state folder')
  const counter = counting()
  expect(await remember(root, file, counter.read)).toEqual({ project: 'shop 1' })
  expect(await remember(root, file, counter.read)).toEqual({ project: 'shop 1' })
  writeFileSync(file, 'version: 1\nproject: stop\n')
  expect(await remember(root, file, counter.read)).toEqual({ project: 'shop 2' })
  expect(counter.reads).toBe(2)
})

test('a note that is cut short is no answer, and is written anew', async () => {
  const { root, file } = project('with a state folder')
  const counter = counting()
  await remember(root, file, counter.read)
  const note = join(root, '.plinth/cache/plinth.yaml.json')
  writeFileSync(note, '{"key":"')
  expect(await remember(root, file, counter.read)).toEqual({ project: 'shop 2' })
  expect(await remember(root, file, counter.read)).toEqual({ project: 'shop 2' })
})

test('only this user may read it, and no draft is left', async () => {
  const { root, file } = project('with a state folder')
  await remember(root, file, counting().read)
  expect(readdirSync(join(root, '.plinth/cache'))).toEqual(['plinth.yaml.json'])
  expect(statSync(join(root, '.plinth/cache/plinth.yaml.json')).mode & 0o777).toBe(0o600)
})

test('a project without a state folder gets none', async () => {
  const { root, file } = project('without one')
  const counter = counting()
  await remember(root, file, counter.read)
  await remember(root, file, counter.read)
  expect(counter.reads).toBe(2)
  expect(existsSync(join(root, '.plinth'))).toBe(false)
})

test('what is wrong is said every time, with its line', async () => {
  const { root, file } = project('with a state folder')
  writeFileSync(file, 'version: 1\nprojekt: shop\n')
  const failure = () =>
    loadConfig({}, root, {}).then(
      () => expect.unreachable('it should have failed'),
      error => ({ code: error.code, line: error.at.line }),
    )
  expect(await failure()).toEqual({ code: 'CONFIG_INVALID', line: 2 })
  expect(await failure()).toEqual({ code: 'CONFIG_INVALID', line: 2 })
})

test('a remembered configuration says the same', async () => {
  const { root } = project('with a state folder')
  const first = await loadConfig({}, root, {})
  const second = await loadConfig({}, root, {})
  expect(second).toEqual(first)
  expect(second.origins.get('project')).toBe('file')
})

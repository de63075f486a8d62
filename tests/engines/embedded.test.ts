/** Stories of the embedded server, each on a server of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { embeddedStatus, removeEmbedded, startEmbedded, stopEmbedded } from '../../src/engines/postgres/embedded.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import type { Fact } from '../../src/telemetry/event.ts'
import { failureOf } from './conformance.ts'
import { ensureBuilt, startInChild } from './embedded-child.ts'

beforeAll(ensureBuilt)

/** A folder whose server, data and refuge are gone when the test ends. */
function folderForTest(name = 'server', base = mkdtempSync(join(tmpdir(), 'plinth-embedded-'))): string {
  const folder = join(base, name)
  onTestFinished(async () => {
    await removeEmbedded({ folder })
    rmSync(base, { recursive: true, force: true })
  })
  return folder
}

const quick = { durable: false } as const

async function ask(url: string, text: string): Promise<unknown> {
  return withSession(postgres, url, {}, async session => Object.values((await session.query(text)).rows[0] ?? {})[0])
}

describe('a first start', () => {
  test('makes a server that a second start finds, stops and finds its data again', async () => {
    const folder = folderForTest()
    const facts: Fact[] = []
    const emit = (fact: Fact): number => facts.push(fact)

    const first = await startEmbedded({ folder, emit })
    expect(first).toMatchObject({ fresh: true, alreadyRunning: false })
    await withSession(postgres, first.url, {}, session =>
      session.script('create table kept (n integer); insert into kept values (42)'),
    )

    const second = await startEmbedded({ folder, emit })
    expect(second).toEqual({ ...first, fresh: false, alreadyRunning: true })
    expect(await embeddedStatus({ folder })).toMatchObject({ running: true, pid: first.pid, address: first.address })

    expect(await stopEmbedded({ folder, emit })).toBe(true)
    expect(await stopEmbedded({ folder, emit })).toBe(false)
    expect(await embeddedStatus({ folder })).toMatchObject({ running: false, pid: null, address: null })
    expect((await failureOf(postgres.open(first.url))).code).toBe('DATABASE_UNREACHABLE')

    const third = await startEmbedded({ folder, emit })
    expect(third).toMatchObject({ fresh: false, alreadyRunning: false, url: first.url })
    expect(await ask(third.url, 'select n from kept')).toBe(42)
    expect(facts.map(fact => fact.type)).toEqual([
      'server.starting',
      'server.started',
      'server.stopped',
      'server.starting',
      'server.started',
    ])
  })

  test('lets nobody in without the password, which only the owner can read and nothing prints', async () => {
    const folder = folderForTest()
    const facts: Fact[] = []
    const server = await startEmbedded({ folder, ...quick, emit: fact => facts.push(fact) })
    const { password } = new URL(server.url)
    expect(password.length).toBeGreaterThan(20)
    expect(statSync(join(folder, 'password')).mode & 0o777).toBe(0o600)
    expect([postgres.describe(server.url), server.address, JSON.stringify(facts)].join()).not.toContain(password)
    expect((await failureOf(postgres.open(server.url.replace(password, 'guess')))).code).toBe('DATABASE_AUTHENTICATION')
    expect((await failureOf(postgres.open(server.url.replace(`:${password}`, '')))).code).toBe(
      'DATABASE_AUTHENTICATION',
    )
    expect(await ask(server.url, "select current_setting('listen_addresses')")).toBe('127.0.0.1')
  })

  test('speaks UTF-8 and sorts the same everywhere', async () => {
    const server = await startEmbedded({ folder: folderForTest(), ...quick })
    expect(
      await ask(server.url, "select string_agg(w, ' ' order by w) from unnest(array['b', 'Ž', 'a', 'B', '🐎']) w"),
    ).toBe('B a b Ž 🐎')
    expect(await ask(server.url, "select upper('žluťoučký')")).toBe('ŽLUŤOUČKÝ')
  })

  test('is as safe as it was asked to be', async () => {
    const safe = await startEmbedded({ folder: folderForTest() })
    const fast = await startEmbedded({ folder: folderForTest(), durable: false })
    const question = "select concat_ws(' ', current_setting('fsync'), current_setting('full_page_writes'))"
    expect(await ask(safe.url, question)).toBe('on on')
    expect(await ask(fast.url, question)).toBe('off off')
  })

  test('writes no statement and no row into its log', async () => {
    const folder = folderForTest()
    const server = await startEmbedded({ folder, ...quick })
    await withSession(postgres, server.url, {}, async session => {
      await session.script(
        "create table people (email text primary key); insert into people values ('ada@example.org')",
      )
      await failureOf(session.script("insert into people values ('ada@example.org')"))
    })
    const log = readFileSync(join(folder, 'server.log'), 'utf8')
    expect(log).toContain('people_pkey')
    expect(log).not.toContain('ada@example.org')
  })

  test.each(['with a space, a "quote" and žluťoučký 🐎', `deep/${'long-name/'.repeat(15)}end`])(
    'works in a folder named %s',
    async name => {
      const server = await startEmbedded({ folder: folderForTest(name), ...quick })
      expect(await ask(server.url, 'select 1')).toBe(1)
    },
  )
})

describe('ports', () => {
  test('one that was asked for and is taken is an error, and no server is left', async () => {
    const folder = folderForTest()
    const port = await occupy()
    const failure = await failureOf(startEmbedded({ folder, port, ...quick }))
    expect(failure.code).toBe('PORT_TAKEN')
    expect(failure.message).toContain(String(port))
    // A folder that never had a server has no status at all.
    expect((await embeddedStatus({ folder }))?.running ?? false).toBe(false)
  })

  test('the usual one is kept, and left for another when it is taken', async () => {
    const folder = folderForTest()
    const usual = await startEmbedded({ folder, ...quick })
    await stopEmbedded({ folder })
    await occupy(portOf(usual.url))
    const other = await startEmbedded({ folder, ...quick })
    expect(portOf(other.url)).not.toBe(portOf(usual.url))
    await stopEmbedded({ folder })
    expect((await startEmbedded({ folder, ...quick })).url).toBe(other.url)
  })

  test('a server that runs moves to the port that is asked for', async () => {
    const folder = folderForTest()
    const before = await startEmbedded({ folder, ...quick })
    const port = await free()
    const after = await startEmbedded({ folder, port, ...quick })
    expect(portOf(after.url)).toBe(port)
    expect(after.dataFolder).toBe(before.dataFolder)
    expect((await failureOf(postgres.open(before.url))).code).toBe('DATABASE_UNREACHABLE')
  })
})

describe('after a crash', () => {
  test('a server that was killed comes back with what was committed', async () => {
    const folder = folderForTest()
    const before = await startEmbedded({ folder })
    await withSession(postgres, before.url, {}, session =>
      session.script('create table kept (n integer); insert into kept values (42)'),
    )
    process.kill(before.pid, 'SIGKILL')
    const after = await startEmbedded({ folder })
    expect(after).toMatchObject({ fresh: false, alreadyRunning: false, url: before.url })
    expect(await ask(after.url, 'select n from kept')).toBe(42)
  })

  test('a process number that now belongs to somebody else does not stand in the way', async () => {
    const folder = folderForTest()
    const before = await startEmbedded({ folder, ...quick })
    const file = join(before.dataFolder, 'postmaster.pid')
    const lines = readFileSync(file, 'utf8')
    await stopEmbedded({ folder })
    writeFileSync(file, lines.replace(/^\d+/, String(process.pid)))
    expect(await embeddedStatus({ folder })).toMatchObject({ running: false })
    expect(await startEmbedded({ folder, ...quick })).toMatchObject({ alreadyRunning: false, url: before.url })
  })

  test('a cluster that was never finished is made anew', async () => {
    const folder = folderForTest()
    // The first process dies in the middle of initdb, which takes some hundred milliseconds.
    expect(await startInChild({ folder, durable: false, dieWhile: 'server.starting', dieAfterMs: 60 })).toBeNull()
    const server = await startEmbedded({ folder, ...quick })
    expect(server.fresh).toBe(true)
    expect(await ask(server.url, 'select 1')).toBe(1)
    const left = [folder, join(server.dataFolder, '..')].flatMap(path => readdirSync(path))
    expect(left.filter(name => name.startsWith('data-draft-'))).toEqual([])
  })

  test('a lock whose owner is dead is taken over', async () => {
    const folder = folderForTest()
    mkdirSync(folder, { recursive: true })
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(join(folder, 'starting.lock'), `${pid} 1 0`)
    expect(await startEmbedded({ folder, ...quick })).toMatchObject({ fresh: true })
    expect(existsSync(join(folder, 'starting.lock'))).toBe(false)
  })
})

describe('several at once', () => {
  test('one starts it, all get the same', async () => {
    const folder = folderForTest()
    const answers = await Promise.all([
      startInChild({ folder, durable: false }),
      startInChild({ folder, durable: false }),
      startEmbedded({ folder, ...quick }),
      startEmbedded({ folder, ...quick }),
    ])
    expect(new Set(answers.map(answer => answer?.url)).size).toBe(1)
    expect(new Set(answers.map(answer => answer?.pid)).size).toBe(1)
    expect(answers.filter(answer => answer?.fresh)).toHaveLength(1)
    expect(answers.filter(answer => answer?.alreadyRunning)).toHaveLength(3)
  })

  test('the server outlives the process that started it', async () => {
    const folder = folderForTest()
    const theirs = await startInChild({ folder, durable: false })
    const ours = await startEmbedded({ folder, ...quick })
    expect(ours).toMatchObject({ alreadyRunning: true, pid: theirs?.pid, url: theirs?.url })
  })
})

describe('waiting for it', () => {
  test('a session that may wait opens as soon as the server is there', async () => {
    const folder = folderForTest()
    const { url } = await startEmbedded({ folder, ...quick })
    await stopEmbedded({ folder })
    const told: (string | null)[] = []
    let starting: Promise<unknown> | undefined
    const onWait = (holder: string | null): void => {
      told.push(holder)
      starting ??= startEmbedded({ folder, ...quick })
    }
    const session = await postgres.open(url, { waitMs: 60_000, onWait })
    onTestFinished(() => session.close())
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(told[0]).toBeNull()
    await starting
  })
})

describe('what it cannot use', () => {
  test('data of another version', async () => {
    const folder = folderForTest()
    const { dataFolder } = await startEmbedded({ folder, ...quick })
    await stopEmbedded({ folder })
    writeFileSync(join(dataFolder, 'PG_VERSION'), '15\n')
    const failure = await failureOf(startEmbedded({ folder, ...quick }))
    expect(failure.code).toBe('SERVER_START_FAILED')
    expect(failure.details).toEqual({ dataVersion: '15', serverVersion: '18' })
    expect(failure.at?.object).toBe(dataFolder)
  })

  test('a data folder that holds something else is left alone', async () => {
    const folder = folderForTest()
    const { dataFolder } = await startEmbedded({ folder, ...quick })
    await stopEmbedded({ folder })
    rmSync(dataFolder, { recursive: true })
    mkdirSync(dataFolder, { recursive: true })
    writeFileSync(join(dataFolder, 'thesis.txt'), 'ten years of work')
    expect((await failureOf(startEmbedded({ folder, ...quick }))).code).toBe('SERVER_START_FAILED')
    expect(readFileSync(join(dataFolder, 'thesis.txt'), 'utf8')).toBe('ten years of work')
  })

  test('a folder whose password is gone', async () => {
    const folder = folderForTest()
    await startEmbedded({ folder, ...quick })
    rmSync(join(folder, 'password'))
    expect((await failureOf(startEmbedded({ folder, ...quick }))).code).toBe('SERVER_START_FAILED')
  })

  test('settings that the server refuses are named with the log', async () => {
    const folder = folderForTest()
    const { dataFolder } = await startEmbedded({ folder, ...quick })
    await stopEmbedded({ folder })
    writeFileSync(join(dataFolder, 'postgresql.auto.conf'), "no_such_setting = 'on'\n")
    const failure = await failureOf(startEmbedded({ folder, ...quick }))
    expect(failure.code).toBe('SERVER_START_FAILED')
    expect(failure.at?.file).toBe(join(folder, 'server.log'))
  })

  test('a disk that is too small', async ({ skip }) => {
    const base = mkdtempSync(join(tmpdir(), 'plinth-embedded-'))
    skip(
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=755', 'tmpfs', base]).status !== 0,
      'no right to mount a small disk',
    )
    onTestFinished(() => {
      spawnSync('umount', [base])
      rmSync(base, { recursive: true, force: true })
    })
    const folder = join(base, 'server')
    const failure = await failureOf(startEmbedded({ folder, ...quick }))
    expect(failure.code).toBe('DISK_FULL')
    expect(readdirSync(folder).filter(name => name.startsWith('data'))).toEqual([])
  })
})

describe('stopping', () => {
  test('a folder that never had a server is not made', async () => {
    const base = mkdtempSync(join(tmpdir(), 'plinth-embedded-'))
    onTestFinished(() => rmSync(base, { recursive: true }))
    expect(await stopEmbedded({ folder: join(base, 'none') })).toBe(false)
    expect(await embeddedStatus({ folder: join(base, 'none') })).toBeNull()
    expect(readdirSync(base)).toEqual([])
  })

  test('ends sessions that are open', async () => {
    const folder = folderForTest()
    const { url } = await startEmbedded({ folder, ...quick })
    const session = await postgres.open(url)
    onTestFinished(() => session.close())
    const sleeping = failureOf(session.query('select pg_sleep(600)'))
    expect(await stopEmbedded({ folder })).toBe(true)
    expect((await sleeping).code).toBe('CONNECTION_LOST')
  })
})

async function occupy(port = 0): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(port, '127.0.0.1', resolve)
  })
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

async function free(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  await new Promise(resolve => {
    server.close(resolve)
  })
  return port
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}

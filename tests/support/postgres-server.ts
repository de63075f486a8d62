/** A PostgreSQL of the tests' own, from programs that are there, which is gone when they end. */
import { execFile, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { accountFor } from '../../src/engines/postgres/embedded/account.ts'
import { withClient } from './client.ts'
import { freePort } from './free-port.ts'

export interface OwnServer {
  readonly url: string
  readonly stop: () => Promise<void>
}

export interface OwnServerOptions {
  /** The folder that has `initdb` and `postgres`. */
  readonly programs: string
  readonly settings?: Readonly<Record<string, string>>
  /** More for initdb; default UTF8 in the C locale. */
  readonly initdb?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export async function startServer(options: OwnServerOptions): Promise<OwnServer> {
  const { programs, settings = {}, initdb = ['--encoding=UTF8', '--locale=C'], environment = {} } = options
  const home = mkdtempSync(join(tmpdir(), 'plinth-server-'))
  const account = await accountFor(home)
  if (account) chownSync(home, account.uid, account.gid)
  const env = { ...process.env, LD_LIBRARY_PATH: join(programs, '../lib'), ...environment }
  const how = { cwd: home, env, ...account }
  const data = join(home, 'data')
  const asked = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', ...initdb]
  await promisify(execFile)(join(programs, 'initdb'), asked, how)
  const port = await freePort()
  const all = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...settings }
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(join(programs, 'postgres'), ['-D', data, ...args], { stdio: 'ignore', ...how })
  const ended = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const stop = async () => {
    child.kill('SIGQUIT')
    await ended
    rmSync(home, { recursive: true, force: true })
  }
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  for (let attempt = 0; ; attempt++) {
    const answer = await withClient(url, client => client.query('select 1')).catch((error: unknown) => error)
    if (!(answer instanceof Error)) return { url, stop }
    if (attempt < 400) {
      await sleep(50)
      continue
    }
    await stop()
    throw answer
  }
}

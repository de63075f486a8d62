/** An older PostgreSQL, the one that Debian brings: of the tests' own and gone when they end. `apt-get install postgresql`. */
import { execFile, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { accountFor } from '../../src/engines/postgres/embedded/account.ts'
import { withClient } from './client.ts'

const programs = ['15', '16', '17']
  .map(version => `/usr/lib/postgresql/${version}/bin`)
  .find(folder => existsSync(join(folder, 'postgres')))

/** Null when it is installed, else why what needs it is skipped. */
export const withoutOlderServer: string | null = programs ? null : 'no older PostgreSQL is installed'

if (withoutOlderServer && process.env['PLINTH_PEERS'] === 'required') throw new Error(withoutOlderServer)

/** Its URL, and what ends it. */
export async function startOlderServer(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-older-'))
  const account = await accountFor(home)
  if (account) chownSync(home, account.uid, account.gid)
  const how = { cwd: home, ...account }
  const data = join(home, 'data')
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--encoding=UTF8', '--locale=C']
  await promisify(execFile)(join(programs ?? '', 'initdb'), initdb, how)
  const port = await freePort()
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off' }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(join(programs ?? '', 'postgres'), ['-D', data, ...args], { stdio: 'ignore', ...how })
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

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  await new Promise<void>(resolve => server.close(() => resolve()))
  return port
}

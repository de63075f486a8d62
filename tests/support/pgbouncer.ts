/** A real PgBouncer before the test server, gone when the test ends. Debian: `apt-get install --no-install-recommends pgbouncer`. */
import { spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { accountFor } from '../../src/engines/postgres/embedded/account.ts'
import { withClient } from './client.ts'
import { freePort } from './free-port.ts'

const program = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  .map(folder => join(folder, 'pgbouncer'))
  .find(file => existsSync(file))

/** Null when it is installed, else why what needs it is skipped. */
export const withoutPooler: string | null = program ? null : 'PgBouncer is not installed'
// Where the machine can install it, as continuous integration does, a missing one is a defect and no reason to skip.
if (withoutPooler && process.env['PLINTH_PEERS'] === 'required') throw new Error(withoutPooler)

export interface PoolerOptions {
  readonly mode?: 'transaction' | 'session' | 'statement'
  /** Connections to the server for each database and user; default 12. */
  readonly size?: number
}

/** The same database through a pooler that hands its server processes out in turn, so that a client seldom meets the same one twice. */
export async function pooled(url: string, { mode = 'transaction', size = 12 }: PoolerOptions = {}): Promise<string> {
  const server = new URL(url)
  const folder = mkdtempSync(join(tmpdir(), 'plinth-pooler-'))
  const account = await accountFor(folder)
  const port = await freePort()
  writeFileSync(join(folder, 'users.txt'), `"${server.username}" "${decodeURIComponent(server.password)}"\n`)
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${server.hostname} port=${server.port || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = 500
server_round_robin = 1
logfile = ${join(folder, 'pgbouncer.log')}
`,
  )
  if (account)
    for (const path of [folder, join(folder, 'users.txt'), join(folder, 'pgbouncer.ini')])
      chownSync(path, account.uid, account.gid)
  const child = spawn(program ?? 'pgbouncer', [join(folder, 'pgbouncer.ini')], { stdio: 'ignore', ...account })
  const ended = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  const through = new URL(url)
  through.hostname = '127.0.0.1'
  through.port = String(port)
  await untilReady(through.toString())
  return through.toString()
}

async function untilReady(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await withClient(url, async client => void (await client.query('select 1')))
    } catch (error) {
      if (attempt > 100) throw error
      await sleep(50)
    }
  }
}

/** A PostgreSQL with a streaming replica, both of the test's own and gone when it ends. Debian: `apt-get install postgresql`. */
import { execFile, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { accountFor } from '../../src/engines/postgres/embedded/account.ts'
import { withClient } from './client.ts'
import { freePort } from './free-port.ts'

const debian = '/usr/lib/postgresql'
const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
const programs = [
  ...versions.map(version => join(debian, version, 'bin')),
  ...(process.env['PATH'] ?? '').split(delimiter),
].find(folder => ['initdb', 'postgres', 'pg_basebackup'].every(name => existsSync(join(folder, name))))

/** Null when its programs are installed, else why what needs them is skipped: the embedded server brings no pg_basebackup. */
export const withoutReplica: string | null = programs ? null : 'pg_basebackup is not installed'

/** URLs of both, once the replica follows. */
export async function startReplicated(): Promise<{ readonly primary: string; readonly replica: string }> {
  const home = mkdtempSync(join(tmpdir(), 'plinth-replica-'))
  const account = await accountFor(home)
  if (account) chownSync(home, account.uid, account.gid)
  const how = { cwd: home, ...account }
  const run = async (name: string, ...args: string[]) =>
    void (await promisify(execFile)(join(programs ?? '', name), args, how))
  const start = async (data: string, port: number): Promise<string> => {
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      hot_standby: 'on',
    }
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(join(programs ?? '', 'postgres'), ['-D', data, ...args], { stdio: 'ignore', ...how })
    const ended = new Promise<void>(resolve => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    onTestFinished(async () => {
      child.kill('SIGQUIT')
      await ended
    })
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    await untilTrue(url, 'select true as ready')
    return url
  }
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const [data, copy] = [join(home, 'primary'), join(home, 'replica')]
  await run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync')
  const port = await freePort()
  const primary = await start(data, port)
  const from = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres']
  await run('pg_basebackup', ...from, '-D', copy, '-R', '-X', 'stream', '-c', 'fast', '--no-sync')
  const replica = await start(copy, await freePort())
  await untilTrue(primary, "select exists (select from pg_stat_replication where state = 'streaming') as ready")
  return { primary, replica }
}

/** Waits until the replica has replayed everything. */
export async function untilReplayed(primary: string): Promise<void> {
  await untilTrue(primary, 'select bool_and(replay_lsn >= pg_current_wal_lsn()) as ready from pg_stat_replication')
}

async function untilTrue(url: string, question: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const ready = await withClient(url, async client => {
      const { rows } = await client.query<{ ready: boolean }>(question)
      return rows[0]?.ready === true
    }).catch((error: unknown) => {
      if (attempt > 400) throw error
      return false
    })
    if (ready) return
    if (attempt > 400) throw new Error(`It never became true: ${question}`)
    await sleep(50)
  }
}

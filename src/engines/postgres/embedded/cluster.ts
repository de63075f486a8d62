/** Makes a cluster and runs its server. */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PlinthError } from '../../../errors.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'
import { disownStalePid, findPostmaster, type Postmaster, recoveryMs } from './postmaster.ts'
import { readIfThere } from './state.ts'

export interface Cluster {
  readonly dataFolder: string
  readonly logFile: string
  readonly binaries: Binaries
  readonly account: Account | null
  readonly durable: boolean
}

/** True when a whole cluster of the right version is there. Throws SERVER_START_FAILED for anything else that is not empty. */
export async function clusterExists({ dataFolder, binaries }: Cluster): Promise<boolean> {
  const version = (await readIfThere(join(dataFolder, 'PG_VERSION')))?.trim()
  if (version === undefined) {
    const content = await readdir(dataFolder).catch(() => [])
    if (content.length === 0) return false
    throw new PlinthError(
      'SERVER_START_FAILED',
      'The data folder of the embedded server holds something else than a cluster.',
      {
        at: { object: dataFolder },
        hint: 'Move the folder away; the next start makes a new one.',
      },
    )
  }
  if (version === String(binaries.majorVersion)) return true
  throw new PlinthError(
    'SERVER_START_FAILED',
    `The data were made by PostgreSQL ${version}, the installed server is ${binaries.majorVersion}.`,
    {
      at: { object: dataFolder },
      hint: 'Move the folder away and run again to begin anew, or install the earlier version to dump the data first.',
      details: { dataVersion: version, serverVersion: String(binaries.majorVersion) },
    },
  )
}

/** initdb beside the final place and a rename at the end: a cluster is whole or not there. */
export async function makeCluster(cluster: Cluster, password: string): Promise<void> {
  const { dataFolder, binaries, account, durable } = cluster
  const parent = dirname(dataFolder)
  await removeDrafts(parent)
  const draft = join(parent, `${draftPrefix}${randomBytes(4).toString('hex')}`)
  const passwordFile = `${draft}.password`
  try {
    await mkdir(draft, { mode: 0o700 })
    await writeFile(passwordFile, password, { mode: 0o600 })
    if (account) for (const path of [draft, passwordFile]) await chown(path, account.uid, account.gid)
    const options = [
      '--username=postgres',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ]
    const safety = [
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--no-instructions',
      ...(durable ? [] : ['--no-sync']),
    ]
    await promisify(execFile)(binaries.initdb, ['-D', draft, ...options, ...safety], {
      ...account,
      cwd: parentFor(account, parent),
      env: environment(),
    })
    await rm(dataFolder, { recursive: true, force: true })
    await rename(draft, dataFolder)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw initFailure(error, cluster)
  } finally {
    await rm(passwordFile, { force: true })
  }
}

/** Starts the server so that it outlives this process, and waits until it takes connections. `port-taken` when another program has the port. */
export async function startServer(cluster: Cluster, port: number): Promise<Postmaster | 'port-taken'> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await startOnce(cluster, port)
    if (typeof outcome !== 'string') return outcome
    if (/address already in use|could not bind/i.test(outcome)) return 'port-taken'
    // After a crash of the server alone its children need a moment to notice and end.
    if (attempt < 50 && /pre-existing shared memory block/i.test(outcome)) {
      await sleep(200)
      continue
    }
    throw startFailure(outcome, cluster)
  }
}

const draftPrefix = 'data-draft-'

async function removeDrafts(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names.filter(name => name.startsWith(draftPrefix))) {
    // An initdb whose starter was killed may still write there; what cannot be removed now is removed by the next start.
    await rm(join(parent, name), { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined)
  }
}

/** The child must be able to enter the folder it starts in. */
function parentFor(account: Account | null, parent: string): string {
  return account ? '/' : parent
}

/** No `PG…` variable of the caller may bend the server, and its messages are in English. */
function environment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TMPDIR', 'TEMP', 'TMP']
  return {
    ...Object.fromEntries(kept.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))),
    LC_ALL: 'C',
  }
}

/** A statement or a row must not reach the log, where secrets would outlive them. */
function serverArguments({ dataFolder, durable }: Cluster, port: number): string[] {
  const settings: Readonly<Record<string, string>> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
    log_line_prefix: '%m [%p] ',
    // What is not durable is for tests and rehearsals, which look at prepared transactions as well.
    ...(durable
      ? {}
      : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_prepared_transactions: '64' }),
  }
  return ['-D', dataFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** The server, or what it wrote before it gave up. */
async function startOnce(cluster: Cluster, port: number): Promise<Postmaster | string> {
  const { dataFolder, logFile, binaries, account } = cluster
  await disownStalePid(dataFolder)
  const log = await open(logFile, 'a', 0o600)
  try {
    const logStart = (await log.stat()).size
    const child = spawn(binaries.postgres, serverArguments(cluster, port), {
      ...account,
      cwd: account ? '/' : dataFolder,
      env: environment(),
      detached: true,
      windowsHide: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    let ended: string | undefined
    child.once('error', error => {
      ended = error.message
    })
    child.once('exit', (status, signal) => {
      ended ??= `ended with ${signal ?? `status ${status}`}`
    })
    child.unref()
    for (let waitedMs = 0; waitedMs < recoveryMs; waitedMs += 10) {
      if (ended !== undefined) return `${ended}\n${await tailOf(logFile, logStart)}`
      const postmaster = await findPostmaster(dataFolder)
      if (postmaster?.ready && postmaster.pid === child.pid) return postmaster
      await sleep(10)
    }
    return `not ready in ${recoveryMs / 1000} seconds; it may still be recovering after a crash`
  } finally {
    await log.close()
  }
}

async function tailOf(logFile: string, from: number): Promise<string> {
  const bytes = await readFile(logFile).catch(() => Buffer.alloc(0))
  return bytes.subarray(from).toString('utf8')
}

function initFailure(error: unknown, cluster: Cluster): PlinthError {
  const { stderr, message } = error as { stderr?: string; message: string }
  return startFailure(stderr || message, cluster)
}

function startFailure(output: string, { logFile, dataFolder, binaries }: Cluster): PlinthError {
  if (/no space left on device|disk quota exceeded/i.test(output)) {
    return new PlinthError('DISK_FULL', 'There is no room for the embedded PostgreSQL.', {
      at: { object: dataFolder },
      hint: 'Free some room, then run the command again.',
    })
  }
  if (/error while loading shared libraries|ENOENT|not found|exec format/i.test(output)) {
    return new PlinthError('SERVER_MISSING', 'The embedded PostgreSQL does not run on this system.', {
      at: { object: binaries.postgres },
      hint: 'Set DATABASE_URL to a server of your own.',
      details: { reason: firstComplaint(output) },
    })
  }
  return new PlinthError('SERVER_START_FAILED', `The embedded PostgreSQL did not start: ${firstComplaint(output)}`, {
    at: { file: logFile },
    hint: 'Look into the log for the lines before.',
  })
}

/** The line that says what went wrong, without its time and process number. */
function firstComplaint(output: string): string {
  const lines = output.split('\n').filter(line => line.trim() !== '')
  const line = lines.find(line => /FATAL|PANIC|error:|could not/.test(line)) ?? lines[0] ?? 'it said nothing'
  return line.replace(/^.*?(FATAL|PANIC|ERROR|LOG|initdb: error): +/, '').trim()
}

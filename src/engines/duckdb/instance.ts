/**
 * One open file a process. DuckDB locks its file against other processes, but two instances of one file within a process would not see
 * each other and would damage it, so sessions share an instance and the last one to leave closes it, which frees the file for others.
 *
 * While a file is open here, nothing in this process may open it by other means: closing any descriptor of a file drops the process's
 * locks on it (POSIX), and another process could then open it as well.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { PlinthError } from '../../errors.ts'
import { busyHolder, openFailure } from './failure.ts'
import type { DuckDbModule } from './rows.ts'

export interface OpenInstance {
  /** The file's real path, or a name of its own for a database in memory. */
  readonly key: string
  /** Folder for bulk files: on the disk of the warehouse, and swept when the file is opened next. */
  readonly scratchFolder: string
  /** Prefix of such files and folders. */
  readonly scratchPrefix: string
  /** Names of locks that sessions hold, with their owner. */
  readonly locks: Map<string, symbol>
  connect(): Promise<DuckDBConnection>
  /** To be called once by each session; the last one checkpoints and closes the file. */
  release(): Promise<void>
}

export interface Waiting {
  readonly waitMs: number
  readonly onWait?: ((holder: string | null, waitedMs: number) => void) | undefined
}

/** The path in `duckdb:path`, or null for `duckdb::memory:`. Throws DATABASE_URL_INVALID. */
export function filePath(url: string): string | null {
  const path = /^duckdb:(?:\/\/(?=\/))?(.+)$/i.exec(url)?.[1]
  if (path === ':memory:') return null
  if (path && !path.startsWith('//') && !path.includes('\0')) return path
  throw new PlinthError('DATABASE_URL_INVALID', 'This is not the URL of a DuckDB file.', {
    hint: 'Write duckdb:path/to/file.duckdb or duckdb::memory:.',
  })
}

/** Opens the file, or joins the instance that this process has open already. Throws WAREHOUSE_BUSY after `waitMs`. */
export async function acquireInstance(url: string, waiting: Waiting): Promise<OpenInstance> {
  const path = filePath(url)
  const key = path === null ? `memory ${nextMemory++}` : realPathOf(path)
  for (;;) {
    const closing = closings.get(key)
    if (!closing) break
    await closing
  }
  let shared = instances.get(key)
  if (!shared) {
    shared = { opened: openWaiting(path, key, waiting), sessions: 0, locks: new Map() }
    instances.set(key, shared)
  }
  shared.sessions += 1
  const entry = shared
  try {
    const instance = await entry.opened
    return {
      key,
      scratchFolder: path === null ? tmpdir() : dirname(key),
      scratchPrefix: scratchPrefix(path === null ? 'memory' : key),
      locks: entry.locks,
      connect: () => instance.connect(),
      release: () => release(key, entry),
    }
  } catch (error) {
    entry.sessions -= 1
    if (entry.sessions === 0) instances.delete(key)
    throw error
  }
}

interface Shared {
  readonly opened: Promise<Opened>
  readonly locks: Map<string, symbol>
  sessions: number
}

const instances = new Map<string, Shared>()
const closings = new Map<string, Promise<void>>()
let nextMemory = 1

interface Opened {
  connect(): Promise<DuckDBConnection>
  close(): void
}

async function openWaiting(path: string | null, key: string, waiting: Waiting): Promise<Opened> {
  const duckdb = await import('@duckdb/node-api')
  // Extensions are never fetched from the network: what is not built in is an error, not a download.
  const options = {
    autoinstall_known_extensions: 'false',
    ...(path === null ? { temp_directory: join(tmpdir(), `plinth-duckdb-${process.pid}`) } : {}),
  }
  const started = performance.now()
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 250)) {
    try {
      const opened = await openNamed(duckdb, path === null ? null : key, options)
      if (path !== null) sweep(key)
      return opened
    } catch (error) {
      const holder = busyHolder(error)
      if (!holder) throw openFailure(error, path ?? ':memory:')
      const waitedMs = Math.round(performance.now() - started)
      if (waitedMs >= waiting.waitMs) throw busy(path ?? key, describeHolder(holder), waitedMs)
      waiting.onWait?.(describeHolder(holder), waitedMs)
      await sleep(Math.min(pauseMs, Math.max(1, waiting.waitMs - waitedMs)))
    }
  }
}

/**
 * DuckDB names the catalog of a file after the file, and refuses `plinth.runs` where a catalog and a schema are both called plinth. Such a
 * file gets another name for its catalog while it is open, and so does an empty one, whose schemas are not known yet. Any other keeps its
 * own, since views of other tools may name it.
 */
async function openNamed(duckdb: DuckDbModule, file: string | null, options: Record<string, string>): Promise<Opened> {
  const instance = await duckdb.DuckDBInstance.create(file ?? ':memory:', options)
  if (file === null || !(await isAmbiguous(instance))) return openedFrom(instance, async () => instance.connect())
  instance.closeSync()
  const around = await duckdb.DuckDBInstance.create(':memory:', { ...options, temp_directory: `${file}.tmp` })
  const open = async () => {
    const connection = await around.connect()
    await connection.run(`use ${catalog}`)
    return connection
  }
  try {
    const connection = await around.connect()
    await connection.run(`attach '${file.replaceAll("'", "''")}' as ${catalog}`)
    await connection.run(`use ${catalog}`)
    await connection.run('detach memory')
    connection.closeSync()
  } catch (error) {
    around.closeSync()
    throw error
  }
  return openedFrom(around, open)
}

const catalog = 'plinth_file'

function openedFrom(instance: DuckDBInstance, connect: Opened['connect']): Opened {
  return { connect, close: () => instance.closeSync() }
}

async function isAmbiguous(instance: DuckDBInstance): Promise<boolean> {
  const connection = await instance.connect()
  try {
    const found = await connection.runAndReadAll(
      `select count(*) filter (where lower(schema_name) = lower(database_name)) > 0
         or (count(*) filter (where not internal and schema_name <> 'main') = 0
           and not exists (from duckdb_tables() where database_name = current_database())
           and not exists (from duckdb_views() where database_name = current_database() and not internal))
       from duckdb_schemas() where database_name = current_database()`,
    )
    return found.getRows()[0]?.[0] === true
  } finally {
    connection.closeSync()
  }
}

async function release(key: string, entry: Shared): Promise<void> {
  if (entry.sessions > 1) {
    entry.sessions -= 1
    return
  }
  const instance = await entry.opened
  // The write-ahead log is folded into the file while the event loop is free; closing itself has little left to do then.
  await checkpoint(instance)
  entry.sessions -= 1
  if (entry.sessions > 0) return
  instances.delete(key)
  const closing = Promise.resolve().then(() => instance.close())
  closings.set(key, closing)
  try {
    await closing
  } finally {
    closings.delete(key)
  }
}

async function checkpoint(instance: Opened): Promise<void> {
  try {
    const connection = await instance.connect()
    try {
      await connection.run('checkpoint')
    } finally {
      connection.closeSync()
    }
  } catch {
    // Closing checkpoints as well; where even that fails, the log stays beside the file and is replayed by the next open.
  }
}

function busy(address: string, holder: string | null, waitedMs: number): PlinthError {
  return new PlinthError('WAREHOUSE_BUSY', `${address} is open in ${holder ?? 'another process'}.`, {
    at: { object: address },
    hint: 'DuckDB lets one process open a file. Wait for that process or end it, then run the command again.',
    details: { holder, waitedMs },
  })
}

/** Such as `node plinth rollup run (PID 4711)`. Options are left out of the command line, since they may hold secrets. */
function describeHolder(holder: { readonly program: string | null; readonly processId: number | null }): string | null {
  if (holder.processId === null) return holder.program
  const words = commandLine(holder.processId) ?? (holder.program ? [basename(holder.program)] : [])
  return `${words.join(' ') || 'a process'} (PID ${holder.processId})`
}

function commandLine(processId: number): string[] | undefined {
  try {
    const words = readFileSync(`/proc/${processId}/cmdline`, 'utf8').split('\0').filter(Boolean)
    const end = words.findIndex(word => word.startsWith('-') || /:\/\/|=|@/.test(word))
    return words.slice(0, end < 0 ? 5 : Math.min(end, 5)).map(word => basename(word).slice(0, 40))
  } catch {
    return undefined
  }
}

/** Makes the parent folder and resolves links, so that one file has one key however it is spelt. */
function realPathOf(path: string): string {
  const absolute = resolve(path)
  try {
    mkdirSync(dirname(absolute), { recursive: true })
    return existsSync(absolute) ? realpathSync(absolute) : join(realpathSync(dirname(absolute)), basename(absolute))
  } catch (error) {
    throw new PlinthError('DATABASE_UNREACHABLE', `The folder of ${path} cannot be made.`, {
      at: { object: path },
      cause: error,
      hint: 'Give this user the right to write there, or name another file.',
    })
  }
}

/** Removes bulk files of a process that was killed: only the one process that holds the file's lock may have such files. */
function sweep(key: string): void {
  const prefix = scratchPrefix(key)
  for (const name of readdirSync(dirname(key))) {
    if (name.startsWith(prefix)) rmSync(join(dirname(key), name), { recursive: true, force: true })
  }
}

function scratchPrefix(key: string): string {
  return `.${basename(key)}.bulk-`
}

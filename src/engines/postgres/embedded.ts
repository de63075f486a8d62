/**
 * A real PostgreSQL from npm, kept in a folder of the project. It outlives the process that started it, so that the next start only connects.
 * It listens on 127.0.0.1 alone and asks for a random password, so that other users of the machine cannot enter.
 */
import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PlinthError } from '../../errors.ts'
import { type Emit, silent } from '../../telemetry/event.ts'
import { type Account, accountFor, makeRefuge, mayEnter, mayRun } from './embedded/account.ts'
import { copyBinaries, findBinaries, restoreLinks } from './embedded/binaries.ts'
import { type Cluster, clusterExists, makeCluster, startServer } from './embedded/cluster.ts'
import { exclusively } from './embedded/exclusive.ts'
import { anyFreePort, isFree, preferredPort } from './embedded/port.ts'
import { findPostmaster, type Postmaster, settledPostmaster, stopPostmaster } from './embedded/postmaster.ts'
import {
  dataFolderOf,
  nothingRecorded,
  makePassword,
  readPassword,
  placeIfThere,
  type Place,
  placeOf,
  readRecord,
  type Recorded,
  writeRecord,
} from './embedded/state.ts'

export interface EmbeddedOptions {
  /** Folder that keeps the server's data, password and log, such as `.plinth/postgres`. Made when missing. */
  readonly folder: string
  /** A port that must be used; without it a stable one is chosen and remembered. */
  readonly port?: number | undefined
  /** False trades safety at power loss for speed: for tests. Default true. */
  readonly durable?: boolean | undefined
  readonly emit?: Emit | undefined
}

export interface EmbeddedServer {
  /** With the password: never print it, print `address`. */
  readonly url: string
  /** `127.0.0.1:port/postgres`. */
  readonly address: string
  /** The data were made by this call. */
  readonly fresh: boolean
  readonly alreadyRunning: boolean
  readonly pid: number
  readonly dataFolder: string
}

export interface FolderOptions {
  readonly folder: string
  readonly emit?: Emit | undefined
}

export interface EmbeddedStatus {
  readonly running: boolean
  readonly pid: number | null
  readonly port: number | null
  /** Null while it does not run. */
  readonly address: string | null
  readonly dataFolder: string
  readonly logFile: string
}

/**
 * Starts the server of the folder, or finds it running. Several processes may ask at once: one does the work, all get the same server.
 * Throws SERVER_MISSING, SERVER_START_FAILED, PORT_TAKEN, DISK_FULL, FILE_UNREADABLE.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const place = await placeOf(options.folder)
  // Usually it runs, and then nobody has to wait for anybody.
  return (
    (await findRunning(place, options.port, findPostmaster)) ??
    exclusively(place.lockFile, async () => {
      return (await findRunning(place, options.port, settledPostmaster)) ?? start(place, options)
    })
  )
}

/** Stops the server and waits until it is gone; what it holds stays. False when none ran. */
export async function stopEmbedded({ folder, emit = silent }: FolderOptions): Promise<boolean> {
  const place = await placeIfThere(folder)
  return place !== null && (await readRecord(place)) !== null && exclusively(place.lockFile, () => stop(place, emit))
}

/** Stops the server and removes everything it kept, also outside of the folder. */
export async function removeEmbedded({ folder, emit = silent }: FolderOptions): Promise<void> {
  const place = await placeIfThere(folder)
  if (place === null) return
  await exclusively(place.lockFile, async () => {
    await stop(place, emit)
    const { refuge } = (await readRecord(place)) ?? nothingRecorded
    const made = (await readdir(place.folder)).filter(name => /^(data$|data-draft-|native-)/.test(name))
    const own = [...made.map(name => join(place.folder, name)), place.logFile, place.passwordFile, place.recordFile]
    for (const path of refuge ? [refuge, ...own] : own) await rm(path, { recursive: true, force: true })
  })
  await rmdir(place.folder).catch(() => undefined)
}

/** What is known without asking the server; null when the folder never had one. */
export async function embeddedStatus({ folder }: Pick<FolderOptions, 'folder'>): Promise<EmbeddedStatus | null> {
  const place = await placeIfThere(folder)
  const recorded = place && (await readRecord(place))
  if (!place || !recorded) return null
  const dataFolder = dataFolderOf(place, recorded)
  const postmaster = await findPostmaster(dataFolder)
  return {
    running: postmaster !== null,
    pid: postmaster?.pid ?? null,
    port: postmaster?.port ?? recorded.port,
    address: postmaster ? addressOf(postmaster.port) : null,
    dataFolder,
    logFile: place.logFile,
  }
}

/** With the password: where the server of the folder takes connections, by its own word. Null while none does. */
export async function runningUrl({ folder }: Pick<FolderOptions, 'folder'>): Promise<string | null> {
  const place = await placeIfThere(folder)
  const recorded = place && (await readRecord(place))
  const postmaster = place && recorded ? await findPostmaster(dataFolderOf(place, recorded)) : null
  return place && postmaster?.ready ? urlOf(place, postmaster.port) : null
}

/** The running server, once it takes connections; null when there is none or it is not on the port that was asked for. */
async function findRunning(
  place: Place,
  port: number | undefined,
  find: typeof findPostmaster,
): Promise<EmbeddedServer | null> {
  const recorded = await readRecord(place)
  if (!recorded) return null
  const dataFolder = dataFolderOf(place, recorded)
  const postmaster = await find(dataFolder)
  if (!postmaster?.ready || (port !== undefined && port !== postmaster.port)) return null
  if (!(await mayBeEntered(place, postmaster, dataFolder))) return null
  return serverOf(place, postmaster, { dataFolder, fresh: false, alreadyRunning: true })
}

async function start(place: Place, options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { emit = silent, durable = true } = options
  const started = performance.now()
  // A server that runs on another port than the one asked for now is moved.
  await stop(place, emit)
  const { cluster, recorded } = await prepare(place, durable)
  const fresh = !(await clusterExists(cluster))
  emit({ type: 'server.starting', dataFolder: cluster.dataFolder, fresh })
  if (fresh) await makeCluster(cluster, await makePassword(place))
  const postmaster = await startOnPort(cluster, place, recorded, options.port)
  await writeRecord(place, { ...recorded, port: postmaster.port })
  await proveEntrance(place, postmaster)
  const server = await serverOf(place, postmaster, { dataFolder: cluster.dataFolder, fresh, alreadyRunning: false })
  emit({ type: 'server.started', address: server.address, fresh, durationMs: Math.round(performance.now() - started) })
  return server
}

/** Finds programs and an account that may run them on the data, moving to a refuge what the account could not reach here. */
async function prepare(place: Place, durable: boolean): Promise<{ cluster: Cluster; recorded: Recorded }> {
  const before = (await readRecord(place)) ?? nothingRecorded
  const account = await accountFor(dataFolderOf(place, before))
  const found = await findBinaries()
  const runsHere = (await restoreLinks(found.root)) && (await mayRun(account, found.postgres))
  const dataInRefuge = before.dataInRefuge || !(await mayEnter(account, place.folder))
  const recorded =
    account && (dataInRefuge || !runsHere)
      ? await withRefuge(place, { ...before, dataInRefuge }, account, durable)
      : before
  const binaries = runsHere ? found : await copyBinaries(found, recorded.refuge ?? place.folder)
  const cluster = { dataFolder: dataFolderOf(place, recorded), logFile: place.logFile, binaries, account, durable }
  return { recorded, cluster }
}

/** Recorded before anything is put there, so that it can be found and removed whatever happens next. */
async function withRefuge(place: Place, before: Recorded, account: Account, durable: boolean): Promise<Recorded> {
  if (before.refuge && (await mayEnter(account, before.refuge))) return before
  const recorded = { ...before, refuge: await makeRefuge(account, place.folder, durable) }
  await writeRecord(place, recorded)
  return recorded
}

async function startOnPort(
  cluster: Cluster,
  place: Place,
  recorded: Recorded,
  asked: number | undefined,
): Promise<Postmaster> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const wanted = asked ?? (attempt === 0 ? (recorded.port ?? preferredPort(place.folder)) : await anyFreePort())
    const outcome = (await isFree(wanted)) ? await startServer(cluster, wanted) : 'port-taken'
    if (outcome !== 'port-taken') return outcome
    if (asked !== undefined) break
  }
  throw new PlinthError('PORT_TAKEN', `Port ${asked ?? ''} is taken by another program.`.replace('  ', ' '), {
    at: { object: `127.0.0.1:${asked ?? ''}` },
    hint: 'Choose another port, or leave it out and one is found.',
  })
}

async function stop(place: Place, emit: Emit): Promise<boolean> {
  const recorded = await readRecord(place)
  if (!recorded) return false
  const dataFolder = dataFolderOf(place, recorded)
  const postmaster = await findPostmaster(dataFolder)
  if (!postmaster) return false
  const started = performance.now()
  await stopPostmaster(dataFolder, postmaster)
  emit({
    type: 'server.stopped',
    address: addressOf(postmaster.port),
    durationMs: Math.round(performance.now() - started),
  })
  return true
}

/** Enters once. SCRAM proves both sides: the server knows our password, so it is the one of this folder. */
async function proveEntrance(place: Place, postmaster: Postmaster): Promise<void> {
  await enter(place, postmaster, 60_000)
}

/** False when the server ended while we asked: a killed one is in the list of processes for a moment longer than it answers. */
async function mayBeEntered(place: Place, postmaster: Postmaster, dataFolder: string): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await enter(place, postmaster, 1000)
      return true
    } catch (error) {
      if ((await findPostmaster(dataFolder))?.pid !== postmaster.pid) return false
      if (attempt === 60 || !(error instanceof PlinthError) || error.code !== 'DATABASE_UNREACHABLE') throw error
    }
  }
}

async function enter(place: Place, postmaster: Postmaster, waitMs: number): Promise<void> {
  const { connect } = await import('./connect.ts')
  const { client } = await connect(await urlOf(place, postmaster.port), { waitMs, applicationName: 'plinth start' })
  await client.end()
}

async function serverOf(
  place: Place,
  { pid, port }: Postmaster,
  rest: Pick<EmbeddedServer, 'dataFolder' | 'fresh' | 'alreadyRunning'>,
): Promise<EmbeddedServer> {
  return { url: await urlOf(place, port), address: addressOf(port), pid, ...rest }
}

async function urlOf(place: Place, port: number): Promise<string> {
  return `postgres://postgres:${await readPassword(place)}@${addressOf(port)}`
}

function addressOf(port: number): string {
  return `127.0.0.1:${port}/postgres`
}

/** Looks at everything that a run needs, changes nothing, and says of each what to do. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { arch, platform } from 'node:process'
import type { Track } from '../config/load.ts'
import { withSession } from '../engines/brackets.ts'
import { engineNamed } from '../engines/registry.ts'
import { asPlinthError, codes } from '../errors.ts'
import { type Database, databaseOf, type Desk, serverFolder } from './desk.ts'
import { folderOf } from './folder.ts'

export interface Diagnosis {
  readonly subject: string
  readonly status: 'ok' | 'warning' | 'error'
  readonly finding: string
  /** The next step; null when all is well. */
  readonly hint: string | null
}

export async function diagnose(desk: Desk): Promise<Diagnosis[]> {
  const { config } = desk
  const tracks = await Promise.all(config.tracks.map(track => diagnoseTrack(desk, track)))
  return [
    diagnoseNode(),
    ok('configuration', config.file ?? 'none found; the defaults hold'),
    diagnoseState(config.state),
    await diagnoseServer(desk),
    ...tracks.flat(),
    await diagnoseKeys(desk),
  ]
}

function diagnoseNode(): Diagnosis {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const finding = `${process.version} on ${platform}-${arch}`
  if (major > 20 || (major === 20 && minor >= 19)) return ok('Node.js', finding)
  return { subject: 'Node.js', status: 'error', finding, hint: 'Install Node.js 20.19 or newer.' }
}

function diagnoseState(folder: string): Diagnosis {
  const subject = 'state folder'
  let place = folder
  while (!existsSync(place)) place = dirname(place)
  try {
    accessSync(place, constants.W_OK)
    const { bavail, bsize } = statfsSync(place)
    const freeMb = Math.floor((bavail * bsize) / 1_048_576)
    const finding = `${folder}, ${freeMb.toLocaleString('en-US')} MB free`
    if (freeMb >= 500) return ok(subject, finding)
    return { subject, status: 'warning', finding, hint: 'Free some room: a server and a warehouse need about 500 MB.' }
  } catch {
    const hint = 'Change its rights, or set PLINTH_STATE to a folder of yours.'
    return { subject, status: 'error', finding: `${folder} cannot be written`, hint }
  }
}

async function diagnoseServer({ config }: Desk): Promise<Diagnosis> {
  const subject = 'embedded server'
  if (config.tracks.every(track => track.database !== null)) return ok(subject, 'not used: every track has a database')
  const { embeddedStatus } = await import('../engines/postgres/embedded.ts')
  const status = await embeddedStatus({ folder: serverFolder(config) })
  if (!status) return ok(subject, 'not made yet; `plinth up` does')
  return ok(subject, status.running ? `running at ${status.address}` : `stopped; data in ${status.dataFolder}`)
}

/** A track on the embedded server that does not run is left alone: looking starts nothing. */
async function diagnoseTrack(desk: Desk, track: Track): Promise<Diagnosis[]> {
  const subject = `track ${track.name}`
  try {
    const { migrations } = await folderOf(desk.config, track)
    const folder = ok(subject, `${migrations.length} migrations in ${track.migrations}`)
    if (track.database === null && !(await isServerRunning(desk))) return [folder]
    const database = await databaseOf(desk, track)
    if (isMissingFile(database)) return [folder, ok(`${subject}: database`, 'not made yet; `plinth apply` does')]
    return [folder, await diagnoseDatabase(`${subject}: database`, database)]
  } catch (thrown) {
    return [failed(subject, thrown)]
  }
}

async function isServerRunning({ config }: Desk): Promise<boolean> {
  const { embeddedStatus } = await import('../engines/postgres/embedded.ts')
  return (await embeddedStatus({ folder: serverFolder(config) }))?.running === true
}

function isMissingFile({ engine, url }: Database): boolean {
  return !engine.can.concurrentProcesses && !existsSync(url.slice(url.indexOf(':') + 1))
}

async function diagnoseDatabase(subject: string, { engine, url }: Database): Promise<Diagnosis> {
  const { readLedgerVersion } = await import('../migrations/ledger.ts')
  return withSession(engine, url, { applicationName: 'plinth doctor' }, async session => {
    const ledger = await readLedgerVersion(session)
    const { name } = await engineNamed(engine.name)
    const finding = `${name} ${session.serverVersion} at ${session.address}, ${ledger === 0 ? 'no history yet' : 'with history'}`
    const untried = engine.untried?.(session.serverVersion) ?? null
    if (untried === null) return ok(subject, finding)
    const hint = 'Look for a newer release of Plinth.'
    return { subject, status: 'warning' as const, finding: `${finding}. ${untried}`, hint }
  }).catch((thrown: unknown) => failed(subject, thrown))
}

async function diagnoseKeys({ config }: Desk): Promise<Diagnosis> {
  const { findKeys, localKeyFile } = await import('../governance/key-provider.ts')
  try {
    findKeys({ variables: config.variables, file: localKeyFile(`${config.state}/keys`) })
    return ok('keys', 'master key and index key are there')
  } catch (thrown) {
    if (config.environment.seedable) return ok('keys', 'not made yet; the first seed of a local environment does')
    return failed('keys', thrown)
  }
}

function ok(subject: string, finding: string): Diagnosis {
  return { subject, status: 'ok', finding, hint: null }
}

function failed(subject: string, thrown: unknown): Diagnosis {
  const { code, message, hint } = asPlinthError(thrown)
  return { subject, status: 'error', finding: `${code}: ${message}`, hint: hint ?? codes[code].explain }
}

/**
 * What an embedded server keeps in its folder:
 *
 *   server.json   the port, and where the data is when it cannot be here
 *   password      of the superuser, readable by the owner alone
 *   data/         the cluster, unless `refuge` says otherwise
 *   server.log    what the server says, without statements and row data
 *   starting.lock held by whoever starts or stops
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, realpath, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlinthError } from '../../../errors.ts'

export interface Place {
  readonly folder: string
  readonly recordFile: string
  readonly passwordFile: string
  readonly logFile: string
  readonly lockFile: string
}

export interface Recorded {
  /** Kept so that the URL stays the same from start to start. */
  readonly port: number | null
  /** A folder of our own where the server's account may go, when it may not come here. */
  readonly refuge: string | null
  /** The cluster is in the refuge. */
  readonly dataInRefuge: boolean
}

/** Makes the folder when it is missing. Links are resolved, so that the same folder has the same name for every caller. */
export async function placeOf(folder: string): Promise<Place> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error
    throw new PlinthError('SERVER_START_FAILED', `The folder of the embedded server cannot be made (${code}).`, {
      at: { object: folder },
      hint: 'Check the rights of the project folder, or set DATABASE_URL to a server of your own.',
      cause: error,
    })
  }
  return existingPlace(await realpath(folder))
}

export function existingPlace(folder: string): Place {
  return {
    folder,
    recordFile: join(folder, 'server.json'),
    passwordFile: join(folder, 'password'),
    logFile: join(folder, 'server.log'),
    lockFile: join(folder, 'starting.lock'),
  }
}

export function dataFolderOf(place: Place, recorded: Recorded): string {
  return join(recorded.dataInRefuge && recorded.refuge ? recorded.refuge : place.folder, 'data')
}

/** Null when the folder never had a server. A damaged record counts as none: its port is chosen anew. */
export async function readRecord(place: Place): Promise<Recorded | null> {
  const text = await readIfThere(place.recordFile)
  if (text === null) return null
  try {
    const record = JSON.parse(text) as Partial<Recorded>
    return { port: record.port ?? null, refuge: record.refuge ?? null, dataInRefuge: record.dataInRefuge === true }
  } catch {
    return nothingRecorded
  }
}

export const nothingRecorded: Recorded = { port: null, refuge: null, dataInRefuge: false }

/** Replaces the record whole, so that a reader never sees half of it. */
export async function writeRecord(place: Place, recorded: Recorded): Promise<void> {
  const draft = `${place.recordFile}.${randomBytes(4).toString('hex')}`
  await writeFile(draft, `${JSON.stringify(recorded, null, 2)}\n`)
  await rename(draft, place.recordFile)
}

/** The superuser's password, made once. `wx` so that it is never shared with a file that somebody else has open. */
export async function passwordOf(place: Place): Promise<string> {
  const known = await readIfThere(place.passwordFile)
  if (known !== null && known.trim() !== '') return known.trim()
  const password = randomBytes(24).toString('base64url')
  await writeFile(place.passwordFile, `${password}\n`, { mode: 0o600 })
  return password
}

/** The text of a file, or null when there is none. Throws FILE_UNREADABLE. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new PlinthError('FILE_UNREADABLE', `A file of the embedded server cannot be read (${code}).`, {
      at: { file },
      hint: 'Run as the user who made it, or remove the folder to begin anew.',
      cause: error,
    })
  }
}

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

/** The place of a folder that may not exist; null when it does not. */
export async function placeIfThere(folder: string): Promise<Place | null> {
  const path = await realpath(folder).catch(() => null)
  return path === null ? null : existingPlace(path)
}

/** The superuser's password. Throws SERVER_START_FAILED when its file is gone. */
export async function readPassword(place: Place): Promise<string> {
  const password = (await readIfThere(place.passwordFile))?.trim()
  if (password) return password
  throw new PlinthError('SERVER_START_FAILED', 'The file with the password of the embedded server is gone.', {
    at: { file: place.passwordFile },
    hint: 'Bring the file back, or remove the folder to begin anew.',
  })
}

/** A password for a cluster that is about to be made. One that is there, from an attempt that was killed, is taken. */
export async function makePassword(place: Place): Promise<string> {
  const known = (await readIfThere(place.passwordFile))?.trim()
  if (known) return known
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

function existingPlace(folder: string): Place {
  return {
    folder,
    recordFile: join(folder, 'server.json'),
    passwordFile: join(folder, 'password'),
    logFile: join(folder, 'server.log'),
    lockFile: join(folder, 'starting.lock'),
  }
}

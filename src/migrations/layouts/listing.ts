/** A folder on the disk, each of its files read at most once. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import type { Listing } from './layout.ts'

/** Throws FOLDER_NOT_FOUND. */
export async function listFolder(folder: string): Promise<Listing> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new PlinthError('FOLDER_NOT_FOUND', `The folder of migrations ${folder} cannot be read.`, {
      at: { file: folder },
      hint: 'Check --dir, or the folder of the track in the configuration.',
      cause: error,
    })
  })
  const read = new Map<string, Promise<MigrationFile>>()
  const below = new Map<string, Promise<Listing>>()
  return {
    folder,
    files: entries.flatMap(entry => (entry.isDirectory() ? [] : [entry.name])).sort(),
    folders: entries.flatMap(entry => (entry.isDirectory() ? [entry.name] : [])).sort(),
    read: name => once(read, name, async () => readMigrationFile(join(folder, name))),
    below: name => once(below, name, () => listFolder(join(folder, name))),
  }
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(name) ?? make()
  known.set(name, made)
  return made
}

/** At once, since hundreds of small files cost five times as much when each waits its turn. */
function readMigrationFile(file: string): MigrationFile {
  const unreadable = (why: string, cause?: unknown) =>
    new PlinthError('FILE_UNREADABLE', `${file} ${why}.`, {
      at: { file },
      hint: 'Save it as UTF-8 text that this user may read.',
      cause,
    })
  const bytes = attempt(
    () => readFileSync(file),
    error => unreadable('cannot be read', error),
  )
  const text = attempt(
    () => decoder.decode(bytes),
    error => unreadable('is not UTF-8 text', error),
  )
  let checksum: string | undefined
  return {
    file,
    text,
    // Who only looks at the texts does not ask for it.
    get checksum() {
      return (checksum ??= createHash('sha256').update(bytes).digest('hex'))
    },
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function attempt<T>(work: () => T, failure: (cause: unknown) => PlinthError): T {
  try {
    return work()
  } catch (error) {
    throw failure(error)
  }
}

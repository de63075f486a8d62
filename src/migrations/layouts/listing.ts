/** A folder on the disk, each of its files read at most once. */
import { createHash } from 'node:crypto'
import { type Dirent, readdir, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import type { Listing } from './layout.ts'

/** Answers the checksum of a file that is as it was when it was computed, or computes it. */
export interface Checksums {
  of(file: string, compute: () => string): string
}

/** With `checksums`, a file is read when its text is asked for, which throws FILE_UNREADABLE then. Throws FOLDER_NOT_FOUND. */
export async function listFolder(
  folder: string,
  checksums?: Checksums,
  values: ReadonlyMap<string, string> = new Map(),
): Promise<Listing> {
  const entries = await entriesOf(folder).catch((error: unknown) => {
    throw new PlinthError('FOLDER_NOT_FOUND', `The folder of migrations ${folder} cannot be read.`, {
      at: { file: folder },
      hint: 'Check --dir, or the folder of the track in the configuration.',
      cause: error,
    })
  })
  const read = new Map<string, Promise<MigrationFile>>()
  const within = join(folder, 'x').slice(0, -1)
  const below = new Map<string, Promise<Listing>>()
  return {
    folder,
    files: entries.flatMap(entry => (entry.isDirectory() ? [] : [entry.name])).sort(),
    folders: entries.flatMap(entry => (entry.isDirectory() ? [entry.name] : [])).sort(),
    values,
    read: name => once(read, name, async () => openFile(`${within}${name}`, checksums)),
    below: name => once(below, name, () => listFolder(join(folder, name), checksums, values)),
  }
}

function once<T>(known: Map<string, Promise<T>>, name: string, make: () => Promise<T>): Promise<T> {
  const made = known.get(name) ?? make()
  known.set(name, made)
  return made
}

/** What promises of folders need takes longer to load than a folder to read. */
function entriesOf(folder: string): Promise<Dirent[]> {
  return new Promise((resolve, reject) =>
    readdir(folder, { withFileTypes: true }, (error, entries) => (error ? reject(error) : resolve(entries))),
  )
}

function openFile(file: string, checksums: Checksums | undefined): MigrationFile {
  let read: Read | undefined
  let checksum: string | undefined
  const content = () => (read ??= readNow(file))
  const digest = () => createHash('sha256').update(content().bytes).digest('hex')
  if (!checksums) content()
  return {
    file,
    get text() {
      return content().text
    },
    // Of the bytes that were read, if any were.
    get checksum() {
      return (checksum ??= read || !checksums ? digest() : checksums.of(file, digest))
    },
  }
}

interface Read {
  readonly bytes: Uint8Array
  readonly text: string
}

/** At once, since hundreds of small files cost five times as much when each waits its turn. */
function readNow(file: string): Read {
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
  return { bytes, text }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function attempt<T>(work: () => T, failure: (cause: unknown) => PlinthError): T {
  try {
    return work()
  } catch (error) {
    throw failure(error)
  }
}

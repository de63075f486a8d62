/**
 * What a configuration file said when it was last read. Reading YAML and holding it to its shape costs more than all else that a command
 * without work does, so the answer is kept in the project's state folder, where there is one, until the file or the program changes.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Answers what `read` answered for the same bytes, or asks it. `T` is plain JSON. Only what was read without an error is kept. */
export async function remember<T>(root: string, file: string, read: () => Promise<T>): Promise<T> {
  const state = join(root, '.plinth')
  if (!existsSync(state)) return read()
  const note = join(state, 'cache', `${basename(file)}.json`)
  const key = keyOf(file)
  const kept = key === null ? null : lookUpNote<T>(note, key)
  if (kept) return kept.value
  const value = await read()
  // The bytes that were read may be newer than those of the key.
  if (key !== null && keyOf(file) === key) keepNote(note, { key, value })
  return value
}

/** A value with what it followed from. */
export interface Note<T> {
  readonly key: string
  readonly value: T
}

/** Changes with every build of the program. */
export function programStamp(): string {
  const program = fileURLToPath(import.meta.url)
  return `${program}\n${statSync(program).mtimeMs}`
}

/** Changes with the bytes, the place and the program; null when the file cannot be read. */
function keyOf(file: string): string | null {
  try {
    const hash = createHash('sha256').update(`${programStamp()}\n${file}\n`)
    return hash.update(readFileSync(file)).digest('hex')
  } catch {
    return null
  }
}

/** Null where there is no such note, or one of something else. */
export function lookUpNote<T>(path: string, key: string): Note<T> | null {
  try {
    const note = JSON.parse(readFileSync(path, 'utf8')) as Note<T>
    return note.key === key ? note : null
  } catch {
    return null
  }
}

/** Whole or not at all, and for this user alone, since a URL may hold a password. A folder that cannot be written only costs time. */
export function keepNote<T>(path: string, note: Note<T>): void {
  const draft = `${path}.${randomUUID()}`
  try {
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(draft, JSON.stringify(note), { mode: 0o600 })
    renameSync(draft, path)
  } catch {
    rmSync(draft, { force: true })
  }
}

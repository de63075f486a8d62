/** Reads a folder of migrations: `<version>_<slug>.up.sql` beside `<version>_<slug>.down.sql`, as golang-migrate names them. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlinthError } from '../errors.ts'
import type { Direction } from '../telemetry/event.ts'
import { compareVersions, type Migration, type MigrationFile, type MigrationFolder, versionKey } from './migration.ts'

/**
 * Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, VERSION_DUPLICATE, UP_MISSING. A missing down file is no error here, since a folder that is only
 * looked at may be unfinished; the plan refuses it.
 */
export async function loadMigrations(folder: string): Promise<MigrationFolder> {
  const names = (await listFolder(folder)).sort()
  const found = names.flatMap(name => readName(name) ?? [])
  const files = new Map(
    await Promise.all(found.map(async ({ name }) => [name, await readMigrationFile(join(folder, name))] as const)),
  )
  const ups = found.filter(one => one.direction === 'up')
  const downs = found.filter(one => one.direction === 'down')
  assertUnique(folder, ups)
  assertUnique(folder, downs)
  assertUpsExist(folder, ups, downs)
  const migrations = ups.flatMap(({ name, version, slug }): Migration[] => {
    const up = files.get(name)
    const down = downs.find(other => versionKey(other.version) === versionKey(version))
    return up ? [{ version, slug, up, down: (down && files.get(down.name)) ?? null }] : []
  })
  return {
    folder,
    migrations: migrations.sort((a, b) => compareVersions(a.version, b.version)),
    warnings: names.flatMap(nearMiss),
  }
}

interface FoundName {
  readonly name: string
  readonly version: string
  readonly slug: string
  readonly direction: Direction
}

function readName(name: string): FoundName | undefined {
  const match = /^(\d+)_(.*)\.(up|down)\.sql$/.exec(name)
  if (!match) return undefined
  const [, version = '', slug = '', direction] = match
  return { name, version, slug, direction: direction === 'up' ? 'up' : 'down' }
}

/** A misspelt name would be left out without a word, and its change never applied. */
function nearMiss(name: string): string[] {
  if (readName(name) || !/\.sql$/i.test(name) || /^\d+_.*\.checks\.sql$/.test(name)) return []
  return [`${name} is not named <version>_<slug>.up.sql or .down.sql, so it is left out.`]
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter(entry => !entry.isDirectory()).map(entry => entry.name)
  } catch (error) {
    throw new PlinthError('FOLDER_NOT_FOUND', `The folder of migrations ${folder} cannot be read.`, {
      at: { file: folder },
      hint: 'Check --dir, or the folder of the track in the configuration.',
      cause: error,
    })
  }
}

async function readMigrationFile(file: string): Promise<MigrationFile> {
  const unreadable = (why: string, cause?: unknown) =>
    new PlinthError('FILE_UNREADABLE', `${file} ${why}.`, {
      at: { file },
      hint: 'Save it as UTF-8 text that this user may read.',
      cause,
    })
  const bytes = await readFile(file).catch((error: unknown) => {
    throw unreadable('cannot be read', error)
  })
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { file, text, checksum: createHash('sha256').update(bytes).digest('hex') }
  } catch (error) {
    throw unreadable('is not UTF-8 text', error)
  }
}

function assertUnique(folder: string, files: readonly FoundName[]): void {
  const seen = new Map<string, FoundName>()
  for (const file of files) {
    const other = seen.get(versionKey(file.version))
    if (other) {
      throw new PlinthError('VERSION_DUPLICATE', `${other.name} and ${file.name} have the same version.`, {
        at: { file: join(folder, file.name) },
        hint: 'Give the later one a version of its own.',
        details: { files: [join(folder, other.name), join(folder, file.name)] },
      })
    }
    seen.set(versionKey(file.version), file)
  }
}

function assertUpsExist(folder: string, ups: readonly FoundName[], downs: readonly FoundName[]): void {
  const known = new Set(ups.map(up => versionKey(up.version)))
  const lonely = downs.find(down => !known.has(versionKey(down.version)))
  if (!lonely) return
  throw new PlinthError('UP_MISSING', `${lonely.name} has no up file of the same version.`, {
    at: { file: join(folder, lonely.name) },
    hint: `Write ${lonely.version}_${lonely.slug}.up.sql beside it, or remove it.`,
  })
}

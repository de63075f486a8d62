/** Reads seed packages from a folder: `<folder>/<package>/package.yaml` and the table files that it lists. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { nearest, type Place, PlinthError } from '../errors.ts'
import type { PackageFile, TableFile } from './shape.ts'

/** A package as its files say it; not yet held against a schema. */
export interface SeedPackage extends Omit<PackageFile, 'tables' | 'identity'> {
  readonly name: string
  readonly identity: string
  readonly tables: readonly SeedTable[]
  /** Its files with their digests, `package.yaml` first; paths are relative to the folder of packages. */
  readonly files: readonly { readonly file: string; readonly sha256: string }[]
  readonly place: (path: readonly PropertyKey[]) => Place
}

export interface SeedTable extends TableFile {
  readonly file: string
  readonly place: (path: readonly PropertyKey[]) => Place
}

export interface PackageSummary {
  readonly name: string
  readonly description: string
  readonly anchor: string
  readonly weeks: number
}

/** The packages of a folder, by name. Throws SEED_INVALID, FOLDER_NOT_FOUND. */
export async function listPackages(folder: string): Promise<PackageSummary[]> {
  const names = await packageNames(folder)
  return Promise.all(
    names.map(async name => {
      const { value } = await readPackageFile(folder, name)
      return { name, description: value.description, anchor: value.anchor, weeks: value.weeks }
    }),
  )
}

/** Throws PACKAGE_UNKNOWN, SEED_INVALID, FILE_UNREADABLE, FOLDER_NOT_FOUND. */
export async function loadPackage(folder: string, name: string): Promise<SeedPackage> {
  const known = await packageNames(folder)
  if (!known.includes(name)) {
    const guess = nearest(name, known)
    throw new PlinthError('PACKAGE_UNKNOWN', `There is no seed package "${name}".`, {
      at: { file: folder },
      hint: `${guess ? `Did you mean "${guess}"? ` : ''}${known.length ? `Known packages: ${known.join(', ')}.` : 'The folder has no package: write <name>/package.yaml.'}`,
    })
  }
  const { value, source, place } = await readPackageFile(folder, name)
  const listed = value.tables.map(entry => (typeof entry === 'string' ? { file: entry } : entry))
  const tables = await Promise.all(
    listed.map(async ({ file, ...override }, index) => {
      const path = resolve(folder, name, file)
      if (!path.startsWith(resolve(folder) + sep)) {
        throw new PlinthError('SEED_INVALID', `The table file "${file}" is outside of the folder of packages.`, {
          at: place(['tables', index]),
        })
      }
      const text = await readText(path, place(['tables', index]))
      const { tableShape } = await import('./shape.ts')
      const { parseYaml } = await import('../config/yaml.ts')
      const parsed = await parseYaml(text, path, tableShape, 'SEED_INVALID', 'seed')
      const table: SeedTable = { ...parsed.value, ...override, file: path, place: path => parsed.place(path) }
      return { table, text }
    }),
  )
  return {
    ...value,
    name,
    identity: value.identity ?? value.seed,
    tables: tables.map(({ table }) => table),
    files: [
      { file: `${name}/package.yaml`, sha256: sha256(source) },
      ...tables.map(({ table, text }) => ({
        file: relative(folder, table.file).split(sep).join('/'),
        sha256: sha256(text),
      })),
    ],
    place,
  }
}

async function packageNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new PlinthError('FOLDER_NOT_FOUND', 'The folder of seed packages does not exist.', {
      at: { file: folder },
      hint: 'Make it, with a folder and a package.yaml for each package, or name another one under "seeds" in the configuration.',
      cause: error,
    })
  })
  const candidates = entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
  const found = await Promise.all(
    candidates.map(async name => ((await readdir(join(folder, name))).includes('package.yaml') ? [name] : [])),
  )
  return found.flat().sort()
}

async function readPackageFile(folder: string, name: string) {
  const file = join(folder, name, 'package.yaml')
  const source = await readText(file, { file })
  const { packageShape } = await import('./shape.ts')
  const { parseYaml } = await import('../config/yaml.ts')
  const parsed = await parseYaml(source, file, packageShape, 'SEED_INVALID', 'seed')
  const place = (path: readonly PropertyKey[]): Place => parsed.place(path)
  return { value: parsed.value, source, place }
}

async function readText(file: string, at: Place): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw new PlinthError(
      absent ? 'SEED_INVALID' : 'FILE_UNREADABLE',
      `The seed file ${file} ${absent ? 'does not exist' : 'cannot be read'}.`,
      { at, cause: error },
    )
  })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

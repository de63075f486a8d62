/**
 * Where a resident is found: a socket in the project's state folder, in a folder that this user alone may enter. Few bytes are allowed in the path of a
 * socket, so whoever asks writes it from where he stands, and the resident makes it from the state folder.
 */
import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Below the state folder. */
export const folderName = 'resident'
export const socketName = `${folderName}/lint`

/** The state folder of the project's folder, or of one above, as a path from the current folder; null where there is none. */
export function stateFolderNear(): string | null {
  let near = '.plinth'
  for (let folder = process.cwd(); ; folder = dirname(folder), near = `../${near}`) {
    if (existsSync(join(folder, '.plinth'))) return near
    if (folder === dirname(folder)) return null
  }
}

/** `strange`: somebody else made it, or others may enter. */
export function lookAt(state: string): 'nothing' | 'folder' | 'socket' | 'strange' {
  const folder = lstatSync(join(state, folderName), { throwIfNoEntry: false })
  if (!folder) return 'nothing'
  const isOwn = folder.isDirectory() && folder.uid === process.getuid?.() && (folder.mode & 0o077) === 0
  if (!isOwn) return 'strange'
  return existsSync(join(state, socketName)) ? 'socket' : 'folder'
}

/** What differs with every build of the program; null while one is being written. */
export function buildOf(bundle: string): string | null {
  try {
    return `${bundle} ${readFileSync(join(bundle, 'digest.txt'), 'utf8')}`
  } catch {
    return null
  }
}

/**
 * Who asks, and in which world: another user, another root, a container that shares nothing but the folder, and another folder at the same path all
 * have files or a network of their own.
 */
export function worldOf(cwd: string): string {
  const place = (path: string) => {
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  }
  const users = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()]
  const spaces = ['mnt', 'net', 'pid'].map(name => linkOf(`/proc/self/ns/${name}`))
  return [process.version, process.arch, ...users, place('/'), place(cwd), ...spaces].join(' ')
}

/** Read once, when a process of Node starts, or by its libraries behind its back. */
export function startVariables(environment: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const chosen = Object.entries(environment).filter(([name]) => startOnly.test(name))
  return Object.fromEntries(chosen.sort(([a], [b]) => (a < b ? -1 : 1)))
}

const startOnly = /^(NODE_|UV_|V8_|LANG|LC_|TZ|ICU_|LD_|DYLD_|MALLOC_|GLIBC_|OPENSSL_|SSL_)/

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** The server's process as its data folder and the system know it. */
import { execFile } from 'node:child_process'
import { readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readIfThere } from './state.ts'

export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly ready: boolean
}

/** The running server of this data folder; null when none runs, also when its file is left over from a crash. */
export async function findPostmaster(dataFolder: string): Promise<Postmaster | null> {
  const lines = (await readIfThere(pidFile(dataFolder)))?.split('\n')
  const pid = Number(lines?.[0])
  if (!lines || !Number.isInteger(pid) || pid <= 1) return null
  if (!(await serves(pid, dataFolder))) return null
  return { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' }
}

/** The same, once it takes connections: another process may have begun to start it, and recovery after a crash can take minutes. */
export async function settledPostmaster(dataFolder: string): Promise<Postmaster | null> {
  let postmaster = await findPostmaster(dataFolder)
  for (let waitedMs = 0; postmaster && !postmaster.ready && waitedMs < recoveryMs; waitedMs += 20) {
    await sleep(20)
    postmaster = await findPostmaster(dataFolder)
  }
  return postmaster
}

/** How long a server may take to be ready, in milliseconds. */
export const recoveryMs = 300_000

/**
 * After a crash the number in the left-over file may belong to an unrelated process by now, and PostgreSQL would refuse to start. The number is
 * replaced by one that no process has; the other lines stay, since by them PostgreSQL finds out whether its old processes still use the memory.
 */
export async function disownStalePid(dataFolder: string): Promise<void> {
  const file = pidFile(dataFolder)
  const text = await readIfThere(file)
  if (text === null) return
  const pid = Number(text.split('\n')[0])
  if (!isAlive(pid) || (await serves(pid, dataFolder))) return
  // Written in place: the file keeps its owner and mode.
  await writeFile(file, text.replace(/^.*/, String(unusedPid)))
}

/** Ends the server in its own order: connections are closed, everything is written. Force is the last resort. */
export async function stopPostmaster(dataFolder: string, postmaster: Postmaster): Promise<void> {
  const manners: readonly (readonly [NodeJS.Signals, number])[] = [
    ['SIGINT', 60_000],
    ['SIGQUIT', 10_000],
    ['SIGKILL', 10_000],
  ]
  for (const [signal, patienceMs] of manners) {
    if (!(await serves(postmaster.pid, dataFolder))) return
    try {
      process.kill(postmaster.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
      throw error
    }
    if (await goneWithin(postmaster.pid, dataFolder, patienceMs)) return reaped(postmaster.pid)
  }
}

/** Its parent is the system's first process, which may take a moment to collect it; until then it stands in the list of processes. */
async function reaped(pid: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < 3000 && isAlive(pid); waitedMs += 50) await sleep(50)
}

/** A process that ended and was not waited for yet still answers to signals, hence the look at its state. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Above the highest number that any system gives to a process. */
const unusedPid = 99_999_999

function pidFile(dataFolder: string): string {
  return join(dataFolder, 'postmaster.pid')
}

/** True only for a server of exactly this folder: by its command line or, after the folder was moved, by its working directory. */
async function serves(pid: number, dataFolder: string): Promise<boolean> {
  if (!isAlive(pid)) return false
  if (process.platform !== 'linux') return (await commandOf(pid)).includes(`-D ${dataFolder}`)
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  if (!words[0]?.endsWith('postgres')) return false
  if (words[words.indexOf('-D') + 1] === dataFolder) return true
  return (await readlink(`/proc/${pid}/cwd`).catch(() => null)) === dataFolder
}

async function commandOf(pid: number): Promise<string> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }))
  return stdout
}

async function goneWithin(pid: number, dataFolder: string, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs
  while (performance.now() < deadline) {
    if (!(await serves(pid, dataFolder))) return true
    await sleep(10)
  }
  return false
}

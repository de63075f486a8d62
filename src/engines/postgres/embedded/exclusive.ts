/** One process at a time starts or stops the server of a folder; others wait for it. */
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlinthError } from '../../../errors.ts'
import { isAlive } from './postmaster.ts'
import { readIfThere } from './state.ts'

/** Runs `work` while the lock file is ours. A file whose owner is dead is taken over. Throws SERVER_START_FAILED after `waitMs`. */
export async function exclusively<T>(lockFile: string, work: () => Promise<T>, waitMs = 180_000): Promise<T> {
  const mine = `${process.pid} ${await birthOf(process.pid)} ${counter++}`
  const deadline = performance.now() + waitMs
  for (let pauseMs = 10; !(await take(lockFile, mine)); pauseMs = Math.min(pauseMs * 2, 200)) {
    if (performance.now() > deadline) {
      throw new PlinthError(
        'SERVER_START_FAILED',
        'Another process has been starting or stopping the embedded server for too long.',
        {
          at: { file: lockFile },
          hint: 'End that process; its number is in the file.',
        },
      )
    }
    await sleep(pauseMs)
  }
  try {
    return await work()
  } finally {
    if ((await readIfThere(lockFile).catch(() => null)) === mine) await rm(lockFile, { force: true })
  }
}

/** Tells several callers within one process apart. */
let counter = 0

async function take(lockFile: string, mine: string): Promise<boolean> {
  if (await create(lockFile, mine)) return true
  if (!(await isStale(lockFile))) return false
  // Two waiters may both see a dead owner. Only the one who makes this second file may remove the first, after looking again.
  const claim = `${lockFile}.claim`
  if (!(await create(claim, mine))) {
    const age = await stat(claim).then(
      found => Date.now() - found.mtimeMs,
      () => 0,
    )
    if (age > 10_000)
      await rename(claim, `${claim}.${process.pid}`)
        .then(() => rm(`${claim}.${process.pid}`, { force: true }))
        .catch(() => undefined)
    return false
  }
  try {
    if (await isStale(lockFile)) await rm(lockFile, { force: true })
    return await create(lockFile, mine)
  } finally {
    await rm(claim, { force: true })
  }
}

async function create(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** An empty file is one that its owner is about to write, unless it has been so for a while. */
async function isStale(lockFile: string): Promise<boolean> {
  const text = await readIfThere(lockFile)
  if (text === null) return false
  const [pid, birth] = text.split(' ')
  if (!pid)
    return stat(lockFile).then(
      found => Date.now() - found.mtimeMs > 10_000,
      () => false,
    )
  if (!isAlive(Number(pid))) return true
  return birth !== 'unknown' && birth !== (await birthOf(Number(pid)))
}

/** When the process began, in the system's ticks: a number that another process with the same pid does not have. */
async function birthOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  // The second field is the program's name in brackets and may hold spaces; the birth is the 22nd.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? 'unknown'
}

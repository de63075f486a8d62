/** PostgreSQL refuses to run as root, so a root process lends it an account that has no rights of its own. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, chown, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PlinthError } from '../../../errors.ts'

export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Null when this process's own account will do. Data that exist already decide: their owner must run the server. */
export async function accountFor(dataFolder: string): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null
  const owner = await stat(dataFolder).catch(() => null)
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  for (const name of ['postgres', 'nobody', 'daemon']) {
    const account = await accountNamed(name)
    if (account) return account
  }
  throw new PlinthError(
    'SERVER_START_FAILED',
    'PostgreSQL does not run as root, and there is no other account for it.',
    {
      hint: 'Run as an ordinary user, make a user "postgres", or set DATABASE_URL to a server of your own.',
    },
  )
}

/** Asks the system itself, since rights can come from more than the mode bits. */
export async function mayEnter(account: Account | null, folder: string): Promise<boolean> {
  return account === null || holds(account, 'cd "$0"', folder)
}

export async function mayRun(account: Account | null, file: string): Promise<boolean> {
  return account === null || holds(account, 'test -x "$0"', file)
}

/**
 * A new folder that the account can reach, named after the project. It belongs to root, who alone can rename what is in it. A random part keeps
 * it apart from whatever others put into a shared folder. What must last is kept away from places that are swept by age.
 */
export async function makeRefuge(account: Account, projectFolder: string, lasting: boolean): Promise<string> {
  const key = createHash('sha256').update(projectFolder).digest('hex').slice(0, 12)
  for (const base of [...(lasting ? ['/var/lib'] : []), '/var/tmp', tmpdir()]) {
    const refuge = await mkdtemp(join(base, `plinth-${key}-`)).catch(() => null)
    if (!refuge) continue
    await chown(refuge, process.getuid?.() ?? 0, account.gid)
    await chmod(refuge, 0o710)
    if (await mayEnter(account, refuge)) return refuge
    await rm(refuge, { recursive: true, force: true })
  }
  throw new PlinthError(
    'SERVER_START_FAILED',
    'There is no folder that an account without rights could keep the data in.',
    {
      hint: 'Run as an ordinary user, or set DATABASE_URL to a server of your own.',
    },
  )
}

const run = promisify(execFile)

async function accountNamed(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async flag => Number((await run('id', [flag, name])).stdout)))
    return uid && gid ? { uid, gid } : null
  } catch {
    return null
  }
}

async function holds({ uid, gid }: Account, condition: string, path: string): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', condition, path], { uid, gid, cwd: '/' })
    return true
  } catch {
    return false
  }
}

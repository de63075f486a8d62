/** One run of a leg: as a process of the command line, or in this process. */
import { setTimeout as sleep } from 'node:timers/promises'
import { engineOf } from '../../src/engines/registry.ts'
import { asPlinthError } from '../../src/errors.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { startPlinth } from '../support/cli.ts'
import type { Leg } from './cases.ts'
import type { Via } from './fault.ts'

export interface RunInput {
  readonly url: string
  readonly folder: string
  readonly leg: Leg
}

/** Null when it came to its end as if nothing had been. */
export type Trouble = string | null

export interface Running {
  readonly ended: Promise<Trouble>
  /** Of a process alone. */
  signal(name: 'SIGKILL' | 'SIGINT'): void
}

const limitMs = 90_000

export function startRun(via: Via, input: RunInput): Running {
  if (via === 'process') return startProcess(input)
  return { ended: within(runHere(via, input)), signal: () => undefined }
}

/** Whoever does not end is a defect as well. */
export async function within(work: Promise<Trouble>): Promise<Trouble> {
  const over = new AbortController()
  const limit = sleep(limitMs, `it has not ended after ${limitMs / 1000} s`, { signal: over.signal, ref: false })
  limit.catch(() => undefined)
  return Promise.race([work, limit]).finally(() => over.abort())
}

function startProcess({ url, folder, leg }: RunInput): Running {
  const verb = leg === 'rollback' ? ['rollback', '--to', '0', '--yes'] : ['apply']
  const { child, ended } = startPlinth([...verb, '--dir', folder, '--database', url])
  const trouble = ended.then(({ status, stderr }) => {
    if (status === 0) return null
    if (status === null) return 'killed'
    return `exit status ${status}: ${stderr.trim().split('\n').at(0) ?? ''}`
  })
  return { ended: within(trouble), signal: name => void child.kill(name) }
}

async function runHere(via: 'session lock' | 'lease', { url, folder, leg }: RunInput): Promise<Trouble> {
  try {
    const engine = await engineOf(url)
    const session = await engine.open(url, { applicationName: 'plinth' })
    try {
      const options = {
        track: 'operational',
        actor: 'faults',
        folder,
        lock: via === 'lease' ? 'lease' : 'session',
        lockWaitMs: 60_000,
      } as const
      const { error } =
        leg === 'rollback'
          ? await rollbackTrack(session, { ...options, target: { kind: 'version', version: '0' } })
          : await applyTrack(session, options)
      return error && `${error.code}: ${error.message}`
    } finally {
      await session.close()
    }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    return `${error.code}: ${error.message}`
  }
}

/** The story of one fault: a run is disturbed, the next one mends it by itself, and nothing tells that anything happened. */
import type { Pool } from 'pg'
import type { Blow, Fault, Via } from './fault.ts'
import { awaitSilence, belongingsOf, compareBelongings, compareRemains, lingering, remainsOf } from './remains.ts'
import { type Running, startRun, type Trouble } from './runs.ts'
import { onSession, type Stage } from './stage.ts'
import { openProxy, type Strike } from './wire-proxy.ts'

export interface Told {
  readonly fault: Fault
  /** Blows that hit a run which was still at work. */
  readonly injected: number
  /** Blows after which the run did not end as if nothing had been. */
  readonly disturbed: number
  /** What is not as it would be without the fault; empty when nothing is. */
  readonly traces: readonly string[]
  /** What the disturbed run ended with. */
  readonly said: Trouble
}

export interface Disk {
  fill(): Promise<void>
  free(): Promise<void>
}

export async function tell(stage: Stage, fault: Fault, disk: Disk | null): Promise<Told> {
  const expected = await stage.undisturbed(fault)
  const folder = await stage.folderOf(fault.story)
  const copy = await stage.copyFor(fault)
  const { leg } = fault
  try {
    const first = await strikeOnce(stage.admin, { fault, blow: fault.blow, url: copy.url, folder, disk })
    const again = fault.again && { fault, blow: fault.again, url: copy.url, folder, disk }
    const second = again ? await strikeOnce(stage.admin, again) : missed
    // The very next run, without a flag, a repair or a hand.
    const next = fault.next === 'same' ? leg : 'rollback'
    const trouble = await startRun(mendingVia(fault.via), { url: copy.url, folder, leg: next }).ended
    const traces = await onSession(copy.url, async session => [
      ...(trouble === null ? [] : [`the next run: ${trouble}`]),
      ...(await awaitSilence(stage.admin, session, copy.name)),
      ...(fault.next === 'same'
        ? compareRemains(expected.remains, await remainsOf(session))
        : compareBelongings(await stage.beginning(fault), await belongingsOf(session))),
      ...(await lingering(stage.admin, session, copy.name)),
    ])
    return {
      fault,
      injected: Number(first.struck) + Number(second.struck),
      disturbed: Number(first.disturbed) + Number(second.disturbed),
      traces,
      said: first.trouble,
    }
  } finally {
    await disk?.free()
    await copy.drop()
  }
}

interface Blown {
  readonly struck: boolean
  readonly disturbed: boolean
  readonly trouble: Trouble
}

const missed: Blown = { struck: false, disturbed: false, trouble: null }

interface Attack {
  readonly fault: Fault
  readonly blow: Blow
  readonly url: string
  readonly folder: string
  readonly disk: Disk | null
}

async function strikeOnce(admin: Pool, attack: Attack): Promise<Blown> {
  const { fault, blow, url, folder, disk } = attack
  let run: Running | undefined
  const strike = (at: Strike) => strikes[fault.kind]({ at, run, blow, admin, disk })
  const proxy = await openProxy({ url, point: blow.point, strike })
  try {
    run = startRun(fault.via, { url: proxy.url, folder, leg: fault.leg })
    const trouble = await run.ended
    return { struck: proxy.struck, disturbed: proxy.struck && trouble !== null, trouble }
  } finally {
    await proxy.close()
    await disk?.free()
  }
}

interface Striking {
  readonly at: Strike
  readonly run: Running | undefined
  readonly blow: Blow
  readonly admin: Pool
  readonly disk: Disk | null
}

const strikes: Readonly<Record<Fault['kind'], (striking: Striking) => Promise<unknown>>> = {
  async kill({ at, run }) {
    at.hush()
    run?.signal('SIGKILL')
    await run?.ended
  },
  cut: ({ at, blow }) => at.cut(blow.cut, blow.later),
  terminate: ({ at, admin }) => admin.query('select pg_terminate_backend($1)', [at.backendId]),
  /** One alone would mostly come between two statements, where there is nothing to cancel. */
  cancel: ({ at, admin }) =>
    admin.query('select pg_cancel_backend($1), pg_sleep(0.001) from generate_series(1, 6)', [at.backendId]),
  async interrupt({ run }) {
    run?.signal('SIGINT')
  },
  async disk({ disk }) {
    await disk?.fill()
  },
}

/** The library in this process mends what a process of the command line left. */
function mendingVia(via: Via): Via {
  return via === 'process' ? 'session lock' : via
}

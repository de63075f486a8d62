/** How batches follow each other, and what of them is tried again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Ceiling, excessOf, openGauge } from '../../engines/ceiling.ts'
import type { StepContext } from '../context.ts'
import type { Directives } from '../directives.ts'
import { refuseInterrupted } from '../patience.ts'

/** A batch is taken back whole, so a lock that it did not get and a deadlock that chose it are tried again. */
export const passing: ReadonlySet<string> = new Set(['55P03', '40P01', '40001'])

/** Between two batches: the pause that was asked for, and longer ones while the server is above the ceiling, which is looked at once a second. */
export function pacer(context: StepContext): () => Promise<void> {
  const { session, step, emit, signal } = context
  const ceiling = ceilingOf(step.directives)
  const pauseMs = step.directives.pauseMs ?? 0
  const readLoad = openGauge(session)
  let lookedAtMs = -Infinity
  const rest = async (ms: number) => {
    if (ms > 0) await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
    refuseInterrupted(signal)
  }
  return async () => {
    await rest(pauseMs)
    if (performance.now() - lookedAtMs < 1000) return
    for (let longerMs = 100; ; longerMs = Math.min(longerMs * 2, 10_000)) {
      lookedAtMs = performance.now()
      const excess = excessOf(ceiling, await readLoad())
      if (!excess) return
      emit({ type: 'backfill.held', version: step.version, ...excess, pauseMs: longerMs })
      await rest(longerMs)
    }
  }
}

function ceilingOf({ maxActive, maxLagMs }: Directives): Ceiling {
  return { maxActive: maxActive ?? 50, maxLagMs: maxLagMs ?? 10_000 }
}

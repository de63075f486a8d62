/** Reading gently: rows that go by no faster than they may, and not while others need the server. */
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { excessOf, openGauge } from '../../engines/ceiling.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'

export interface ThrottleOptions {
  /** 0 for no limit. */
  readonly rowsPerSecond: number
  /** Sessions at work beside this one; 0 for no limit. */
  readonly loadMax: number
  readonly emit: Emit
  readonly signal?: AbortSignal | undefined
}

export interface Throttle {
  /** The same session, whose bulk reads are held back. `control` is asked how busy the server is. */
  slowed(reader: Session, control: Session): Session
  /** Tells how many rows came, so that bytes can be taken for rows. */
  learn(rows: number): void
}

/** A row of a fact table in COPY's binary form, until it is known better. */
const rowBytesGuess = 200

export function createThrottle({ rowsPerSecond, loadMax, emit, signal }: ThrottleOptions): Throttle {
  let rowBytes = rowBytesGuess
  let seenBytes = 0
  return {
    learn(rows) {
      if (rows > 1000) rowBytes = seenBytes / rows
      seenBytes = 0
    },
    slowed(reader, control) {
      const readLoad = openGauge(control)
      const started = performance.now()
      let passed = 0
      let heldMs = 0
      let lookedAtMs = -Infinity
      const rest = async (ms: number) => {
        await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
        if (signal?.aborted) throw interrupted()
      }
      const gate = async (bytes: number) => {
        passed += bytes
        seenBytes += bytes
        if (signal?.aborted) throw interrupted()
        if (loadMax > 0 && performance.now() - lookedAtMs > 1000) {
          for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 10_000)) {
            lookedAtMs = performance.now()
            // The session that reads is at work as well.
            const excess = excessOf({ maxActive: loadMax + 1, maxLagMs: 10_000 }, await readLoad())
            if (!excess) break
            emit({ type: 'backfill.held', version: 'rollup backfill', ...excess, pauseMs })
            await rest(pauseMs)
            heldMs += pauseMs
          }
        }
        if (rowsPerSecond === 0) return
        const dueMs = (passed / rowBytes / rowsPerSecond) * 1000
        const earlyMs = dueMs - (performance.now() - started - heldMs)
        if (earlyMs > 5) await rest(Math.min(earlyMs, 60_000))
      }
      const copyOut = (text: string) => Readable.from(throughGate(reader.copyOut(text), gate), { objectMode: false })
      return new Proxy(reader, {
        get(target, name) {
          if (name === 'copyOut') return copyOut
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
    },
  }
}

async function* throughGate(
  source: AsyncIterable<Uint8Array>,
  gate: (bytes: number) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    await gate(chunk.length)
    yield chunk
  }
}

function interrupted(): PlinthError {
  return new PlinthError('INTERRUPTED', 'The backfill was interrupted.', {
    hint: 'What was done is kept; `plinth rollup backfill` goes on from there.',
  })
}

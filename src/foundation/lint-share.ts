/** Shares many texts among this thread and others. Each takes the next part when it is free, and tells the others what its texts do to those behind them. */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type MessagePort, Worker } from 'node:worker_threads'
import { alone, type ExaminedParts, type Share, type Team } from '../lint/parts.ts'
import type { Settings } from '../lint/rule.ts'
import type { LintSource } from '../lint/source.ts'
import type { Fact } from '../lint/text-facts.ts'
import type { Severity } from '../schema/finding.ts'

/** What every thread is told; plain data. */
export interface SharedTask {
  readonly parts: readonly (readonly LintSource[])[]
  readonly settings: Settings
  readonly severities: ReadonlyMap<string, Severity>
  /** The file that says which columns are classified; null for none. */
  readonly classification: string | null
  readonly today: string
  /** How many parts were taken. */
  readonly taken: SharedArrayBuffer
}

/** What threads tell each other; the first one passes on what it hears. */
interface News {
  readonly part: number
  readonly facts: readonly Fact[]
}

/** A thread takes about fifty milliseconds until it is there, and a part ten. */
const partsMin = 10
const threadsMax = 8

/** One hand where that is as fast, or where a thread came to grief: then one hand can tell why. */
export function shareAmongThreads(task: Omit<SharedTask, 'parts' | 'taken'>): Share {
  return async (parts, work) => {
    const entry = ['lint-worker.cjs', 'lint-worker.js']
      .map(name => fileURLToPath(new URL(name, import.meta.url)))
      .find(file => existsSync(file))
    const threads = Math.min(availableParallelism(), threadsMax, Math.floor((2 * parts.length) / partsMin)) - 1
    if (entry === undefined || threads < 1) return alone(parts, work)
    const told = { ...task, parts, taken: new SharedArrayBuffer(4) }
    const workers = Array.from({ length: threads }, () => new Worker(entry, { workerData: told }))
    try {
      return await shareWith(workers, told, work)
    } catch {
      return await alone(parts, work)
    } finally {
      for (const worker of workers) void worker.terminate()
    }
  }
}

async function shareWith(workers: readonly Worker[], task: SharedTask, work: (team: Team) => Promise<ExaminedParts>) {
  const heard = openEar()
  const spread = (news: News, from?: Worker) => {
    for (const worker of workers) if (worker !== from) send(worker, news)
  }
  const answers = workers.map(
    worker =>
      new Promise<ExaminedParts>((resolve, reject) => {
        worker.on('error', reject).on('message', (message: News | ExaminedParts) => {
          if ('found' in message) return resolve(message)
          heard.take(message)
          spread(message, worker)
        })
      }),
  )
  const own = work({ ...taking(task), tell: (part, facts) => spread({ part, facts: facts() }), hear: heard.hear })
  return Promise.all([own, ...answers])
}

/** The view of a thread that another one started. */
export function teamOf(task: SharedTask, starter: MessagePort): Team {
  const heard = openEar()
  starter.on('message', (news: News) => heard.take(news))
  return { ...taking(task), tell: (part, facts) => send(starter, { part, facts: facts() }), hear: heard.hear }
}

function taking({ parts, taken }: SharedTask): Pick<Team, 'take'> {
  const next = new Int32Array(taken)
  return {
    take() {
      const part = Atomics.add(next, 0, 1)
      return part < parts.length ? part : undefined
    },
  }
}

function openEar() {
  const heard = new Map<number, readonly Fact[]>()
  const waiting = new Map<number, (facts: readonly Fact[]) => void>()
  return {
    take({ part, facts }: News) {
      heard.set(part, facts)
      waiting.get(part)?.(facts)
    },
    hear: async (part: number) =>
      heard.get(part) ?? new Promise<readonly Fact[]>(resolve => waiting.set(part, resolve)),
  }
}

function send(to: Worker | MessagePort, news: News): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread has no origin.
  to.postMessage(news)
}

/** Shares many texts among this thread and others. Each takes the next part when it is free, and tells the others what its texts do to those behind them. */
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type MessagePort, Worker } from 'node:worker_threads'
import { alone, type ExaminedParts, partsOf, type Share, type Team } from '../lint/parts.ts'
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

/** What threads tell each other; the first one passes on what it hears. As text, which is copied at once and read only where a rule asks. */
interface News {
  readonly part: number
  readonly facts: string
}

/** Threads that came before the texts were read, which takes as long as they take to be there. */
export interface Hands {
  /** They begin at once; one hand alone where that is as fast, or where a thread came to grief: then one hand can tell why. */
  begin(sources: readonly LintSource[], task: Omit<SharedTask, 'parts' | 'taken'>): Share
  /** Sends away whoever is still there. */
  dismiss(): void
}

/** A thread takes about fifty milliseconds until it is there, and a part ten. */
const partsMin = 10
/** As many files as usually fill a part. */
const filesOfPart = 20
const threadsMax = 8

/** Calls as many threads as the texts of these files and folders will need, as far as their number tells. */
export function callHands(places: readonly string[]): Hands {
  const entry = ['lint-worker.cjs', 'lint-worker.js']
    .map(name => fileURLToPath(new URL(name, import.meta.url)))
    .find(file => existsSync(file))
  const workers: Worker[] = []
  const call = (parts: number): void => {
    const wanted = Math.min(availableParallelism(), threadsMax, Math.floor((2 * parts) / partsMin)) - 1
    if (entry === undefined) return
    while (workers.length < wanted) workers.push(new Worker(entry).on('error', () => undefined))
  }
  const dismiss = (): void => {
    for (const worker of workers.splice(0)) void worker.terminate()
  }
  call(places.reduce((sum, place) => sum + filesIn(place), 0) / filesOfPart)
  return {
    begin(sources, task) {
      const parts = partsOf(sources)
      if (parts.length < partsMin) return alone
      call(parts.length)
      if (workers.length === 0) return alone
      const join = setToWork(workers, { ...task, parts, taken: new SharedArrayBuffer(4) })
      return async (_, work) => {
        try {
          return await join(work)
        } catch {
          return await alone(parts, work)
        } finally {
          dismiss()
        }
      }
    },
    dismiss,
  }
}

function filesIn(place: string): number {
  try {
    return readdirSync(place).length
  } catch {
    return 1
  }
}

/** Answers how the thread that is here takes its share, and what all found in the end. */
function setToWork(workers: readonly Worker[], task: SharedTask) {
  const heard = openEar()
  const spread = (news: News, from?: Worker) => {
    for (const worker of workers) if (worker !== from) send(worker, news)
  }
  const answers = Promise.all(
    workers.map(
      worker =>
        new Promise<ExaminedParts>((resolve, reject) => {
          worker.on('error', reject).on('message', (message: News | ExaminedParts) => {
            if ('found' in message) return resolve(message)
            heard.take(message)
            spread(message, worker)
          })
          send(worker, task)
        }),
    ),
  )
  // Who joins is told; until then nobody is there to hear of it.
  answers.catch(() => undefined)
  const tell: Team['tell'] = (part, facts) => spread({ part, facts: JSON.stringify(facts()) })
  return async (work: (team: Team) => Promise<ExaminedParts>) => {
    const own = work({ ...taking(task), tell, hear: heard.hear })
    return (await Promise.all([own, answers])).flat()
  }
}

/** The view of a thread that another one started. */
export function teamOf(task: SharedTask, starter: MessagePort): Team {
  const heard = openEar()
  starter.on('message', (news: News) => heard.take(news))
  return {
    ...taking(task),
    tell: (part, facts) => send(starter, { part, facts: JSON.stringify(facts()) }),
    hear: heard.hear,
  }
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
  const heard = new Map<number, () => readonly Fact[]>()
  const waiting = new Map<number, (facts: () => readonly Fact[]) => void>()
  return {
    take({ part, facts }: News) {
      const told = () => JSON.parse(facts) as Fact[]
      heard.set(part, told)
      waiting.get(part)?.(told)
    },
    hear: async (part: number) =>
      heard.get(part) ?? new Promise<() => readonly Fact[]>(resolve => waiting.set(part, resolve)),
  }
}

function send(to: Worker | MessagePort, news: News | SharedTask): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread has no origin.
  to.postMessage(news)
}

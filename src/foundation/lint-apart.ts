/** Examines many texts in threads, each a part of them. What the earlier parts did travels to the later ones, so that all know the same past. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Severity } from '../schema/finding.ts'
import type { Settings } from '../lint/rule.ts'
import type { ExaminedApart } from '../lint/run.ts'
import type { LintSource } from '../lint/source.ts'
import type { Fact } from '../lint/text-facts.ts'

/** What every thread is told; plain data. */
export interface ApartOptions {
  readonly settings: Settings
  readonly severities: ReadonlyMap<string, Severity>
  /** The file that says which columns are classified; null for none. */
  readonly classification: string | null
  readonly today: string
}

/** What one thread is told when it starts. */
export interface ApartTask extends ApartOptions {
  readonly sources: readonly LintSource[]
}

/** Below, starting threads costs more than they save. */
const sourcesMin = 200
const threadsMax = 8

/** Null where one thread is as fast, or where a thread came to grief: then one thread can tell why. */
export async function examineApart(
  sources: readonly LintSource[],
  options: ApartOptions,
): Promise<ExaminedApart | null> {
  const entry = ['lint-worker.cjs', 'lint-worker.js']
    .map(name => fileURLToPath(new URL(name, import.meta.url)))
    .find(file => existsSync(file))
  const judged = sources.filter(source => source.role === 'judged').length
  const threads = Math.min(availableParallelism(), threadsMax, Math.floor((2 * judged) / sourcesMin))
  if (entry === undefined || threads < 2) return null
  const workers = partsOf(sources, threads).map(part => startThread(entry, { ...options, sources: part }))
  try {
    return await examineIn(workers)
  } catch {
    return null
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()))
  }
}

async function examineIn(workers: readonly Worker[]): Promise<ExaminedApart> {
  const facts = await Promise.all(workers.map(worker => answerOf<readonly Fact[]>(worker)))
  const answers = workers.map(worker => answerOf<ExaminedApart>(worker))
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A worker thread has no origin.
  for (const [at, worker] of workers.entries()) worker.postMessage(facts.slice(0, at).flat())
  const examined = await Promise.all(answers)
  return {
    found: examined.flatMap(one => one.found),
    ups: examined.some(one => one.ups === 'some') ? 'some' : 'none',
  }
}

/** The next message. Throws what the thread threw. */
async function answerOf<T>(worker: Worker): Promise<T> {
  const [message] = (await once(worker, 'message')) as [T]
  return message
}

/** Parts with about as much text each, in order. */
function partsOf(sources: readonly LintSource[], count: number): (readonly LintSource[])[] {
  const total = sources.reduce((sum, { text }) => sum + text.length, 0)
  const parts: LintSource[][] = Array.from({ length: count }, () => [])
  let passed = 0
  for (const source of sources) {
    parts[Math.min(count - 1, Math.floor((passed * count) / Math.max(1, total)))]?.push(source)
    passed += source.text.length
  }
  return parts.filter(part => part.length > 0)
}

function startThread(entry: string, task: ApartTask): Worker {
  // Trees live until their file is judged, so a larger nursery saves most of the collecting.
  return new Worker(entry, { workerData: task, resourceLimits: { maxYoungGenerationSizeMb: 128 } })
}

/** A thread of lint: examines the parts that it takes, and answers what is wrong with them. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parentPort } from 'node:worker_threads'
import { useCompiled } from '../config/compiled.ts'

if (parentPort) void start(parentPort)

async function start(starter: NonNullable<typeof parentPort>): Promise<void> {
  const keep = useCompiled(dirname(fileURLToPath(import.meta.url)), 'lint-worker')
  const { work } = await import('./lint-thread.ts')
  const answer = await work(starter)
  keep()
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A thread has no origin.
  starter.postMessage(answer)
}

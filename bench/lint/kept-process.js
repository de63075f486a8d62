// The process that lint keeps beside a project, for benchmarks: started, asked, and proved to have answered.
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { dismissResident, whoIsResident } from '../../dist/cli/resident/tell.js'

export { dismissResident }

const { CI: _, ...environment } = process.env
/** Nothing around the benchmark decides what it measures. */
export const withResident = Object.fromEntries(
  Object.entries(environment).filter(([name]) => !/^(DATABASE_URL|PLINTH_|PG[A-Z]|OTEL_|NODE_OPTIONS)/.test(name)),
)
export const withoutResident = { ...withResident, PLINTH_RESIDENT: 'off' }

/** `call` is one that starts it; waits until it is ready. */
export async function startResident(project, call) {
  await call()
  for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
    if ((await whoIsResident(join(project, '.plinth')))?.busy === 'no') return
    await sleep(50)
  }
  throw new Error('No resident came to be.')
}

/** Throws where the call was done by its own process. */
export async function answeredByResident(project, call) {
  const before = await whoIsResident(join(project, '.plinth'))
  const result = await call()
  const after = await whoIsResident(join(project, '.plinth'))
  if (after?.callsAnswered !== before?.callsAnswered + 1) throw new Error('The resident did not answer.')
  return result
}

// The process that lint keeps beside a project, for benchmarks: started, asked, and proved to have answered.
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { frameOf, frameReader } from '../../dist/cli/resident/frames.js'
import { buildOf, worldOf } from '../../dist/cli/resident/place.js'
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

/** Milliseconds until the whole answer is here, asked by this process: what of a call is the resident's part, and the server's behind it. */
export async function answerAlone(project, args, input) {
  const argv = [process.execPath, 'plinth', 'lint', ...args]
  const call = {
    ask: 'lint',
    build: buildOf(join(import.meta.dirname, '../../dist/bundle')),
    world: worldOf(project),
    argv,
  }
  const around = { cwd: project, environment: withResident, umask: 0o22, out: {}, error: {} }
  const started = performance.now()
  const read = frameReader()
  return new Promise((resolve, reject) => {
    const socket = connect(join(project, '.plinth/resident/lint'))
    socket
      .on('data', chunk => {
        for (const { letter } of read(chunk)) {
          if (letter === 'end') resolve(performance.now() - started)
          if (letter === 'no') reject(new Error('The resident refused to answer.'))
        }
      })
      .on('error', reject)
      .on('close', () => reject(new Error('The resident did not answer.')))
    socket.write(Buffer.concat([frameOf('question', JSON.stringify({ ...call, ...around })), frameOf('input', input)]))
  })
}

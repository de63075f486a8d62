// Asks lint about one text after the other in a process that stays, as an editor would; each differs from the last. Prints the milliseconds of each answer.
import { openFoundation } from '../../dist/foundation.js'

const asked = 12
const warmUp = 4
const { signal } = new AbortController()
const foundation = await openFoundation({
  flags: {},
  configuration: 'load',
  command: 'lint',
  cwd: process.cwd(),
  variables: process.env,
  signal,
  version: '0',
})
const text = await new Response(process.stdin).text()
const times = []
for (let at = 0; at < warmUp + asked; at++) {
  const started = performance.now()
  const { report } = await foundation.lint({ files: ['-'], standardInput: `${text}\n-- ${at}\n`, scope: 'pending' })
  if (report.rehearsal.serverVersion === null) throw new Error(report.rehearsal.reason ?? 'It was not rehearsed.')
  if (at >= warmUp) times.push(performance.now() - started)
}
await foundation.close()
console.log(JSON.stringify(times))

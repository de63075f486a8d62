// Applies or rolls back in a process of its own, which a story may kill: `node apply-child.js '{"url":…,"folder":…}'`. With `killAt` it kills
// itself with SIGKILL in the moment in which the nth fact of a type is told. The last line of its output is the report.
import { applyTrack, rollbackTrack } from '../../dist/migrations/track.js'
import { engineOf } from '../../dist/engines/registry.js'

const { url, folder, direction = 'up', target, killAt, hold, preserve } = JSON.parse(process.argv[2])
const engine = await engineOf(url)
const session = await engine.open(url, { applicationName: 'plinth test child' })
const seen = new Map()

function emit(fact) {
  const count = (seen.get(fact.type) ?? 0) + 1
  seen.set(fact.type, count)
  if (killAt && fact.type === killAt.type && count === killAt.count) process.kill(process.pid, 'SIGKILL')
}

const stop = new AbortController()
process.on('SIGINT', () => stop.abort())
process.stdout.write('ready\n')
const run = direction === 'up' ? applyTrack : rollbackTrack
try {
  const report = await run(session, {
    track: 'operational',
    actor: 'child',
    folder,
    target,
    preserve,
    emit,
    signal: stop.signal,
    lockWaitMs: 60_000,
  })
  process.stdout.write(`${JSON.stringify(report)}\n`)
} catch (error) {
  process.stdout.write(`${JSON.stringify({ status: 'refused', error })}\n`)
}
if (hold !== true) await session.close()

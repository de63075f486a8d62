// Applies a folder in a process that is ready: libraries read, parser loaded, session open. Prints the milliseconds of the rest.
// The URL comes by the environment, since arguments are everybody's to read.
import { setFlagsFromString } from 'node:v8'
import { withSession } from '../../dist/engines/brackets.js'
import { engineOf } from '../../dist/engines/registry.js'
import { applyTrack } from '../../dist/migrations/track.js'
import { openParser } from '../../dist/sql/parse.js'

// As the command itself does; see bin/plinth.js, which says why and for which versions.
const v8 = Number.parseInt(process.versions.v8, 10)
if (v8 <= 13) setFlagsFromString('--liftoff-only')
if (v8 === 11) setFlagsFromString('--interrupt-budget=1000000')

const url = process.env.DATABASE_URL
const [folder] = process.argv.slice(2)
await openParser('postgres')
await withSession(await engineOf(url), url, {}, async session => {
  const started = performance.now()
  const report = await applyTrack(session, { track: 'operational', folder, actor: 'bench' })
  if (report.error) throw report.error
  console.log(JSON.stringify({ steps: report.done.length, ms: performance.now() - started }))
})

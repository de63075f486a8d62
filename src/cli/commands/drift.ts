import type { OnTrack } from '../../foundation/desk.ts'
import type { DriftReport } from '../../migrations/drift.ts'
import { spellDifference, wholes } from '../../migrations/spell.ts'
import type { CommandSpec } from '../command.ts'
import { count, paint } from '../print.ts'

export const drift: CommandSpec = {
  name: 'drift',
  summary: 'compare the database with what its migrations make',
  description:
    'Applies the versions that are applied to a scratch database, compares the catalogs, and prints the SQL that brings the database back to what the migrations make; what no statement can do is a comment. Partitions that the clock makes are no drift. Nothing is changed. Exit status 3 with differences.',
  group: 'migrations',
  examples: ['plinth drift', 'plinth drift --track operational --quiet', 'plinth drift --json'],
  async run({ foundation }) {
    const tracks = await foundation.drift()
    const found = tracks.some(({ result }) => result.status === 'found')
    return {
      data: { tracks: tracks.map(({ track, address, result }) => ({ track, address, report: result })) },
      text: tracks.map(describe).join('\n'),
      exit: found ? 3 : 0,
      warnings: tracks.flatMap(({ result }) => result.notices),
    }
  },
}

/** What is printed is a script as a whole, so everything else is a comment. */
function describe({ track, address, result }: OnTrack<DriftReport>): string {
  const { version, differences, sql, notices } = result
  const whole = wholes(differences)
  const head =
    result.status === 'none'
      ? `-- ${paint.bold(track)} on ${address}: what the migrations up to ${version} make, and nothing else.`
      : `-- ${paint.bold(track)} on ${address} differs from what the migrations up to ${version} make: ${count(whole.length, 'difference')}.`
  return [
    head,
    ...whole.map(one => paint.yellow(`--   ${spellDifference(one)}`)),
    ...notices.map(notice => paint.yellow(`-- ! ${notice}`)),
    ...(sql === '' ? [] : ['', sql]),
  ].join('\n')
}

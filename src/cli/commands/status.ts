import { existsSync } from 'node:fs'
import type { OnTrack } from '../../foundation/desk.ts'
import type { TrackStatus, VersionStatus } from '../../migrations/status.ts'
import type { CommandSpec } from '../command.ts'
import { fleetOutcome, isAll } from './fleet.ts'
import { describeLevels } from './levels.ts'
import { rollupStatus } from './rollup.ts'
import { count, duration, paint, table } from '../print.ts'

export const status: CommandSpec = {
  name: 'status',
  summary: 'show which versions are applied and which are pending',
  description:
    'Shows each track: its version, what is pending, failed, interrupted, edited or gone. Exit status 3 when anything but applied was found.',
  group: 'migrations',
  options: [
    { flags: '--all', description: 'of every database of the fleet' },
    { flags: '--levels', description: 'the service levels of rollups as well: lag, freshness, differences' },
  ],
  examples: [
    'plinth status',
    'plinth status --levels',
    'plinth status --json --track operational',
    'plinth status --all',
  ],
  async run(context) {
    const { foundation } = context
    if (isAll(context)) return fleetOutcome(await foundation.statusFleet(), 'open')
    const { dbt, tracks: configured } = foundation.config
    if (dbt && !configured.some(({ migrations }) => existsSync(migrations))) {
      const outcome = await rollupStatus.run(context)
      const note = `${dbt.project} is a dbt project without migrations: this is the status of its warehouse.`
      return { ...outcome, text: `${note}\n\n${outcome.text ?? ''}` }
    }
    const tracks = await foundation.status()
    const levels = context.options['levels'] ? await foundation.levels() : null
    const settled = tracks.every(({ result }) => result.counts.applied === result.versions.length)
    return {
      data: {
        environment: foundation.config.environment.name,
        tracks: tracks.map(({ track, address, result }) => ({ track, address, status: result })),
        ...(levels ? { levels } : {}),
      },
      text: [...tracks.map(describeTrack), ...(levels ? [describeLevels(levels)] : [])].join('\n\n'),
      exit: settled ? 0 : 3,
      warnings: tracks.flatMap(({ result }) => result.warnings),
    }
  },
}

const colours: Readonly<Record<VersionStatus['state'], (text: string) => string>> = {
  applied: paint.green,
  pending: paint.yellow,
  failed: paint.red,
  interrupted: paint.red,
  changed: paint.red,
  gone: paint.red,
}

function describeTrack({ track, address, result }: OnTrack<TrackStatus>): string {
  const counts = Object.entries(result.counts)
    .filter(([, amount]) => amount > 0)
    .map(([state, amount]) => `${amount} ${state}`)
  const head = `${paint.bold(track)} on ${address}: ${result.current ?? 'empty'}, ${counts.join(', ') || count(0, 'migration')}`
  const rows = result.versions.map(version => [
    version.version,
    version.slug,
    colours[version.state](version.state) + (version.outOfOrder ? ' (out of order)' : ''),
    version.at === null ? '' : `${version.at.slice(0, 19).replace('T', ' ')} UTC`,
    version.durationMs === null ? '' : duration(version.durationMs),
    version.actor ?? '',
    version.errorCode ?? '',
  ])
  return [
    head,
    table(['version', 'name', 'state', 'when', 'took', 'by', 'error'], rows),
    ...result.warnings.map(warning => paint.yellow(`! ${warning}`)),
  ]
    .filter(Boolean)
    .join('\n')
}

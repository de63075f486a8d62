import { PlinthError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'

export const verify: CommandSpec = {
  name: 'verify',
  summary: 'prove on a scratch database that every down undoes its up',
  description:
    'Applies all migrations to an empty scratch database, takes them back one by one, applies them again, and compares the catalog at each step. The database of the track is neither read nor changed.',
  group: 'migrations',
  examples: [
    'plinth verify',
    'plinth verify --track operational',
    'plinth verify --dir ./migrations --database postgres://me@localhost/mydb',
  ],
  async run({ foundation }) {
    const tracks = await foundation.verify()
    const broken = tracks.find(({ result }) => result.error)?.result.error
    const data = {
      tracks: tracks.map(({ track, result: { error, ...report } }) => ({ track, report, error: error?.code ?? null })),
    }
    if (broken)
      throw new PlinthError(broken.code, broken.message, {
        at: broken.at,
        hint: broken.hint,
        sqlState: broken.sqlState,
        details: { ...broken.details, ...data },
        cause: broken,
      })
    const text = tracks.map(({ track, result }) => {
      const rows = result.steps.map(step => [
        step.version,
        step.slug,
        duration(step.upMs),
        step.downMs === null ? '' : duration(step.downMs),
        paint.green('equal'),
      ])
      return `${paint.bold(track)}: ${count(result.steps.length, 'migration')} applied, taken back and applied again in ${duration(result.durationMs)}; every catalog is equal.\n${table(['version', 'name', 'up', 'down', 'catalog'], rows)}`
    })
    return { data, text: text.join('\n\n') }
  },
}

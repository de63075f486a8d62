import type { SourceSeal } from '../../analytics/seal/seal.ts'
import { PlinthError } from '../../errors.ts'
import { type CommandSpec, text } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'
import { spanOf } from './hours.ts'

export const rollupSeal: CommandSpec = {
  name: 'rollup seal',
  summary: 'close days that are proved, so that their events may be retired',
  description:
    'Seals every UTC day before the one named, in order: a day without pending marks, whose rows equal the source and whose rollups equal their recomputation. Each hour gets a seal that says what it holds, who sealed it and when, chained by digests and signed when a key is at hand. Runs leave sealed hours alone; what comes too late waits in quarantine. Exit status 3 when a day could not be sealed.',
  group: 'data',
  options: [
    { flags: '--before <day>', description: 'a UTC day, YYYY-MM-DD; default rollups.sealAfterDays before today' },
  ],
  examples: ['plinth rollup seal', 'plinth rollup seal --before 2026-10-01', 'plinth rollup seal --json'],
  async run(context) {
    const before = text(context, 'before')
    if (before !== undefined && spanOf(before, '--before') && before.length > 10)
      throw new PlinthError('USAGE', '--before takes a UTC day, since whole days are sealed.', {
        hint: 'Write a day such as 2026-01-31.',
      })
    const report = await context.foundation.seal({ before })
    return {
      data: report,
      text: `${report.sources.map(describe).join('\n\n')}\n${paint.dim(`Took ${duration(report.durationMs)}.`)}`,
      exit: report.status === 'blocked' ? 3 : 0,
    }
  },
}

function describe({ source, sealedBefore, hours, rows, blocked }: SourceSeal): string {
  const name = paint.bold(source)
  const state = sealedBefore === null ? 'nothing is sealed' : `sealed before ${sealedBefore.slice(0, 10)}`
  const done = hours > 0 ? `; ${count(hours, 'hour')} with ${count(rows, 'event')} just now` : ''
  if (!blocked) return `${name}: ${state}${done}`
  const steps = {
    'pending marks': 'has changes that no run has taken yet; run: plinth rollup run',
    differences: `differs in ${count(blocked.differences.length, 'cell')}; run: plinth reconcile`,
    'never rolled up': 'was never rolled up; run: plinth rollup run',
    'no seals configured': 'cannot be sealed: its capture names no table of seals',
  }
  const rowsShown = blocked.differences.slice(0, 20).map(one => [one.table, one.bucket, String(one.shard), one.kind])
  return [
    `${name}: ${state}${done}`,
    paint.yellow(`${blocked.day.slice(0, 10)} ${steps[blocked.reason]}`),
    table(['table', 'bucket', 'shard', 'kind'], rowsShown),
  ]
    .filter(Boolean)
    .join('\n')
}

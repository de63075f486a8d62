import type { SourceReconciliation } from '../../analytics/prove/reconcile.ts'
import type { CommandSpec } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'

export const reconcile: CommandSpec = {
  name: 'reconcile',
  summary: 'compare source and warehouse cell by cell, and repair what differs',
  description:
    'Compares at one snapshot: rows of the source with the raw table, and every rollup with its recomputation. What differs is marked and replaced at once, then compared again. Exit status 3 when anything differed, also when it is repaired.',
  group: 'data',
  options: [
    { flags: '--dry-run', description: 'report only' },
    {
      flags: '--rotate',
      description: 'only the days whose proof is oldest, so many that each is proved within rollups.proveEveryDays',
    },
  ],
  examples: ['plinth reconcile', 'plinth reconcile --rotate', 'plinth reconcile --dry-run --json'],
  async run({ foundation, options }) {
    const report = await foundation.reconcile(
      options['dryRun'] ? 'report' : 'repair',
      options['rotate'] ? 'rotation' : 'everything',
    )
    return {
      data: report,
      text: `${report.sources.map(describe).join('\n\n')}\n${paint.dim(`Took ${duration(report.durationMs)}.`)}`,
      exit: report.status === 'equal' ? 0 : 3,
    }
  },
}

function describe(source: SourceReconciliation): string {
  const name = paint.bold(source.source)
  if (source.loaded === 'no') return `${name}: never rolled up; run: plinth rollup run`
  const found = source.different === 0 ? paint.green('0 differences') : paint.red(count(source.different, 'difference'))
  const head = `${name}: ${found} in ${count(source.cells, 'cell')}, ${count(source.rows, 'event')}${source.repaired > 0 ? `; ${source.repaired} repaired` : ''}${source.pending > 0 ? `; ${count(source.pending, 'cell')} pending` : ''}`
  const rows = source.differences
    .slice(0, 20)
    .map(one => Object.values(one).map(value => (value === null ? '' : String(value))))
  const titles = Object.keys(source.differences[0] ?? {})
  const more =
    source.differences.length > 20 ? paint.dim(`… and ${source.differences.length - 20} more, see --json`) : ''
  return [head, table(titles, rows), more].filter(Boolean).join('\n')
}

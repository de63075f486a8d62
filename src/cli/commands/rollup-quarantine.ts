import type { Selection, SettleReport, SourceQuarantine } from '../../analytics/seal/quarantine.ts'
import { PlinthError } from '../../errors.ts'
import { type CommandSpec, type Context, text } from '../command.ts'
import { count, paint, table } from '../print.ts'
import { spanOf } from './hours.ts'

const which = [
  {
    name: '[when]',
    description: 'an hour such as 2026-03-01T05, or a UTC day such as 2026-03-01; default all that wait',
  },
]
const shard = { flags: '--shard <number>', description: 'one shard alone' }
const all = { flags: '--all', description: 'everything that waits' }

export const quarantineList: CommandSpec = {
  name: 'rollup quarantine list',
  summary: 'list sealed cells in which the source changed too late',
  description:
    'Lists each cell with its kind (late, changed, removed) and what became of it. Exit status 3 when any waits.',
  group: 'data',
  examples: ['plinth rollup quarantine list', 'plinth rollup quarantine list --json'],
  async run({ foundation }) {
    const sources = await foundation.quarantine()
    const waiting = sources.flatMap(({ cells }) => cells).filter(({ state }) => state === 'open' || state === 'moving')
    return { data: { sources }, text: sources.map(describe).join('\n\n'), exit: waiting.length > 0 ? 3 : 0 }
  },
}

export const quarantineShow: CommandSpec = {
  name: 'rollup quarantine show',
  summary: 'show which events are behind quarantined cells, by their keys',
  group: 'data',
  arguments: which,
  options: [shard],
  examples: ['plinth rollup quarantine show', 'plinth rollup quarantine show 2026-03-01T05 --shard 7'],
  async run(context) {
    const cells = await context.foundation.quarantinedRows(selectionOf(context))
    const texts = cells.map(cell => {
      const names = Object.keys(cell.rows[0]?.key ?? {})
      const rows = cell.rows.map(row => [row.kind, ...names.map(name => row.key[name] ?? ''), row.columns.join(', ')])
      const more = cell.cut === 'yes' ? paint.dim('… and more') : ''
      return [
        `${paint.bold(cell.source)} ${cell.hour}, shard ${cell.shard}: ${cell.kind}, since ${cell.firstSeenAt}`,
        table(['kind', ...names, 'changed'], rows),
        more,
      ]
        .filter(Boolean)
        .join('\n')
    })
    return { data: { cells }, text: texts.join('\n\n') || 'Nothing waits.' }
  },
}

export const quarantineAdmit: CommandSpec = {
  name: 'rollup quarantine admit',
  summary: 'count what came too late, and seal its hours anew',
  description:
    'Cells whose events the source still has become what the source says now. Where they were retired, the late events join those that the warehouse kept, and then leave the source, since their time is past retention. Rollups are computed anew and proved in the same transaction.',
  group: 'data',
  arguments: which,
  options: [shard, all],
  examples: ['plinth rollup quarantine admit 2026-03-01', 'plinth rollup quarantine admit --all'],
  run: context => settle(context, 'admit'),
}

export const quarantineDismiss: CommandSpec = {
  name: 'rollup quarantine dismiss',
  summary: 'leave what came too late uncounted',
  description:
    'The seals stay as they are, and retention may go on. A cell comes back when the source changes there once more.',
  group: 'data',
  arguments: which,
  options: [shard, all],
  examples: ['plinth rollup quarantine dismiss 2026-03-01T05', 'plinth rollup quarantine dismiss --all'],
  run: context => settle(context, 'dismiss'),
}

async function settle(context: Context, decision: 'admit' | 'dismiss') {
  if (context.arguments[0] === undefined && context.options['all'] !== true)
    throw new PlinthError('USAGE', 'Which cells?', { hint: `Name an hour or a day, or say --all.` })
  const report = await context.foundation.settleQuarantine(decision, selectionOf(context))
  return { data: report, text: report.sources.map(source => settled(source, decision)).join('\n') }
}

function settled({ source, cells, moved }: SettleReport['sources'][number], decision: 'admit' | 'dismiss'): string {
  if (cells === 0) return `${paint.bold(source)}: nothing waits there; plinth rollup quarantine list tells what does.`
  const left = moved > 0 ? `; ${count(moved, 'event')} left the source` : ''
  return `${paint.bold(source)}: ${count(cells, 'cell')} ${decision === 'admit' ? 'admitted' : 'dismissed'}${left}.`
}

/** Hours and days as people write them. Throws USAGE. */
function selectionOf(context: Context): Selection {
  const given = context.arguments[0]
  const shardText = text(context, 'shard')
  if (shardText !== undefined && !/^\d{1,5}$/.test(shardText))
    throw new PlinthError('USAGE', '--shard takes a whole number from 0 up.', {
      hint: 'plinth rollup quarantine list shows the shards.',
    })
  const chosen = shardText === undefined ? null : Number(shardText)
  if (given === undefined) return { from: null, until: null, shard: chosen }
  return { ...spanOf(given, 'Quarantine'), shard: chosen }
}

function describe({ source, cells }: SourceQuarantine): string {
  if (cells.length === 0) return `${paint.bold(source)}: nothing came too late.`
  const rows = cells.map(cell => [
    cell.hour,
    String(cell.shard),
    cell.kind,
    cell.state === 'open' || cell.state === 'moving' ? paint.yellow(cell.state) : cell.state,
    cell.sourceRows.toLocaleString('en-US'),
    cell.sealedRows.toLocaleString('en-US'),
    cell.firstSeenAt.slice(0, 19),
    cell.settledBy ?? '',
  ])
  const head = ['hour', 'shard', 'kind', 'state', 'in the source', 'sealed', 'since', 'settled by']
  return `${paint.bold(source)}\n${table(head, rows)}`
}

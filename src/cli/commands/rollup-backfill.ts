import { constants, setPriority } from 'node:os'
import type { BackfillPlan } from '../../analytics/run/backfill-plan.ts'
import { PlinthError } from '../../errors.ts'
import type { BackfillRequest } from '../../foundation/rollups.ts'
import { type CommandSpec, type Context, text } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'
import { spanOf } from './hours.ts'

export const rollupBackfill: CommandSpec = {
  name: 'rollup backfill',
  summary: 'load history piece by piece, gently, while runs go on',
  description:
    'Replaces hours of history from the source, newest or oldest first. Each piece has a snapshot of its own and commits with how far it is, so that runs go on between the pieces, and a backfill that was killed is gone on with by the same command. Reads no faster than --rate, and waits while more than --max-load sessions work on the source. An empty warehouse is filled this way as well. Sealed hours stay as they are.',
  group: 'data',
  options: [
    { flags: '--from <time>', description: 'first hour or UTC day; default the first one of the source' },
    { flags: '--to <time>', description: 'hour or UTC day before which it ends; default now' },
    { flags: '--order <first>', description: 'which hours come first; default newest', choices: ['newest', 'oldest'] },
    { flags: '--rate <rows>', description: 'rows in a second; 0 for no limit; default rollups.backfillRowsPerSecond' },
    {
      flags: '--max-load <sessions>',
      description: 'sessions at work on the source; 0 for no limit; default rollups.backfillLoadMax',
    },
    { flags: '--plan', description: 'show what it would take, and do nothing' },
  ],
  examples: [
    'plinth rollup backfill --plan',
    'plinth rollup backfill --from 2024-01-01 --to 2026-01-01 --order oldest',
    'plinth rollup backfill --rate 20000 --max-load 8',
  ],
  async run(context) {
    const { foundation, options } = context
    const request = requestOf(context)
    if (options['plan']) {
      const sources = await foundation.planBackfill(request)
      return { data: { sources }, text: sources.map(describe).join('\n\n') }
    }
    // Where the source is on this machine as well, others come first.
    setPriority(constants.priority.PRIORITY_LOW)
    const report = await foundation.backfill(request)
    const lines = report.sources.map(source =>
      source.pieces === 0
        ? `${paint.bold(source.source)}: nothing to do.`
        : `${paint.bold(source.source)}: ${count(source.rows, 'event')} from ${source.from.slice(0, 13)} to ${source.until.slice(0, 13)}, in ${count(source.pieces, 'piece')}.`,
    )
    return { data: report, text: [...lines, paint.dim(`Took ${duration(report.durationMs)}.`)].join('\n') }
  },
}

function describe(plan: BackfillPlan): string {
  if (plan.hours === 0) {
    const sealed = plan.sealedBefore === null ? '' : `; everything before ${plan.sealedBefore.slice(0, 10)} is sealed`
    return `${paint.bold(plan.source)}: nothing to do, the source has no hour there${sealed}.`
  }
  const rows = [
    [
      'hours',
      `${plan.from.slice(0, 13)} to ${plan.until.slice(0, 13)}, ${plan.order} first${plan.resumed === 'yes' ? ', goes on' : ''}`,
    ],
    ['buckets', `${count(plan.hours, 'hour')}, ${count(plan.cells, 'cell')}`],
    ['events', `about ${count(plan.rows, 'row')}`],
    ['read from the source', `about ${megabytes(plan.sourceBytes)}`],
    ...(plan.warehouseBytes === null ? [] : [['billed by the warehouse', `about ${megabytes(plan.warehouseBytes)}`]]),
    ['time', `about ${duration(plan.seconds * 1000)} at ${count(plan.rowsPerSecond, 'row')} a second`],
    ...(plan.sealedBefore === null ? [] : [['sealed before', plan.sealedBefore.slice(0, 10)]]),
  ]
  return `${paint.bold(plan.source)}\n${table(['', ''], rows).split('\n').slice(1).join('\n')}`
}

function requestOf(context: Context): BackfillRequest {
  const order = text(context, 'order')
  const [from, until] = (['from', 'to'] as const).map(option => {
    const given = text(context, option)
    return given === undefined ? null : spanOf(given, `--${option}`).from
  })
  if (from && until && from >= until)
    throw new PlinthError('USAGE', '--from is not before --to.', {
      hint: 'Hours from --from on are loaded, up to --to.',
    })
  return {
    from: from ?? null,
    until: until ?? null,
    order: order === 'newest' || order === 'oldest' ? order : null,
    rowsPerSecond: amountOf(context, 'rate', '--rate'),
    loadMax: amountOf(context, 'maxLoad', '--max-load'),
  }
}

function amountOf(context: Context, option: string, flag: string): number | null {
  const given = text(context, option)
  if (given === undefined) return null
  if (/^\d{1,9}$/.test(given)) return Number(given)
  throw new PlinthError('USAGE', `${flag} takes a whole number from 0 up.`, { hint: '0 sets no limit.' })
}

function megabytes(bytes: number): string {
  return bytes < 1_000_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${(bytes / 1_000_000_000).toFixed(1)} GB`
}

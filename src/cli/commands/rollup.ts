import { type CommandSpec, text, wholeNumber } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'
import { bytesOf, placeOptions, projectOptions, projectRequest } from './rollup-project.ts'
import { describeHistory, describeJobs, describeLevels } from './levels.ts'

export const rollupRun: CommandSpec = {
  name: 'rollup run',
  summary: 'bring the warehouse up to date with exactly what changed',
  description:
    'Takes the cells (hour and shard of organizations) that were marked since the last run, and replaces them in the warehouse: raw, hourly, daily. Late, moved and deleted events are included, whatever their age. Reconciles what it wrote before it ends. With --select, brings those transforms and what they read up to date and leaves the cursor where it is, so that the next run gives the others what they have not got.',
  group: 'data',
  options: [
    { flags: '--rebase', description: 'load everything again, also from a source that was restored or replaced' },
    { flags: '-f, --full-refresh', description: 'the same, in the words of dbt' },
    ...projectOptions,
    {
      flags: '--bytes-max <size>',
      description: 'on BigQuery, refuse when the transforms would read more, such as 10GiB',
    },
  ],
  examples: ['plinth rollup run', 'plinth rollup run --rebase', 'plinth rollup run --json'],
  async run(context) {
    const { foundation, options } = context
    const request = { ...projectRequest(context), bytesMax: bytesOf(text(context, 'bytesMax')) }
    const report = await foundation.rollup(options['rebase'] || options['fullRefresh'] ? 'rebase' : 'changes', request)
    const lines = report.sources.map(source => {
      if (source.marks === 0 && source.mode === 'changes')
        return `${paint.bold(source.source)}: nothing changed since the last run.`
      const written = Object.entries(source.tables).map(([name, rows]) => `${count(rows, 'row')} in ${name}`)
      const how =
        source.mode === 'whole' ? `loaded whole (${source.reason ?? 'asked for'})` : count(source.marks, 'mark')
      return `${paint.bold(source.source)}: ${how}, ${count(source.cells, 'cell')} replaced with ${count(source.rows, 'event')} → ${written.join(', ')}.`
    })
    const seeds = Object.entries(report.seeds).map(([name, rows]) => `${count(rows, 'row')} in ${name}`)
    if (seeds.length > 0) lines.push(`Loaded from files: ${seeds.join(', ')}.`)
    const others = Object.entries(report.others).map(([name, rows]) => `${count(rows, 'row')} in ${name}`)
    if (others.length > 0) lines.push(`Made: ${others.join(', ')}.`)
    if (report.views > 0) lines.push(`Made ${count(report.views, 'view')}.`)
    lines.push(...report.notes.map(note => paint.dim(note)))
    lines.push(paint.dim(`Warehouse: ${report.warehouse}.`))
    return { data: report, text: [...lines, paint.dim(`Took ${duration(report.durationMs)}.`)].join('\n') }
  },
}

export const rollupStatus: CommandSpec = {
  name: 'rollup status',
  summary: 'show how far the warehouse has read, what is pending, and the service levels',
  description:
    'Shows what the warehouse is as of, what waits, lag, freshness, duration, late events, differences, quarantine and the schedule. With --history, what runs, reconciliations, checks and seals found.',
  group: 'data',
  options: [
    { flags: '--history', description: 'what was done and found, newest first' },
    { flags: '--limit <number>', description: 'entries of the history; default 50' },
    ...placeOptions,
  ],
  examples: ['plinth rollup status', 'plinth rollup status --history --limit 200', 'plinth rollup status --json'],
  async run(context) {
    const { foundation, options } = context
    if (options['history']) {
      const history = await foundation.rollupHistory(wholeNumber(context, 'limit') ?? 50)
      return { data: { history }, text: describeHistory(history) }
    }
    const status = await foundation.rollupStatus()
    const levels = await foundation.levels()
    const jobs = await foundation.jobs()
    const sources = status.sources.map(source =>
      [
        paint.bold(source.source),
        table(
          ['', ''],
          [
            [
              'as of',
              source.loaded === 'yes'
                ? `${source.movedAt ?? 'unknown'}, snapshot ${source.snapshot ?? ''}`
                : 'never loaded; run: plinth rollup run',
            ],
            [
              'pending',
              source.pendingMarks === 0
                ? 'nothing'
                : `${count(source.pendingMarks, 'mark')} on ${count(source.pendingCells, 'cell')}, oldest hour ${source.oldestPendingHour ?? ''}`,
            ],
            ...Object.entries(source.rows).map(([name, rows]) => [
              name,
              rows === null ? 'not there yet' : count(rows, 'row'),
            ]),
          ],
        )
          .split('\n')
          .slice(1)
          .join('\n'),
      ].join('\n'),
    )
    const others = Object.entries(status.others).map(([name, rows]) => [
      name,
      rows === null ? 'not there yet' : count(rows, 'row'),
    ])
    const made = others.length > 0 ? [table(['table', 'rows'], others)] : []
    const parts = [...sources, ...made, describeLevels(levels), describeJobs(jobs)].filter(Boolean)
    return { data: { ...status, levels, jobs }, text: parts.join('\n\n') }
  },
}

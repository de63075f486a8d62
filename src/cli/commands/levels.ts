/** Service levels and history as people read them. */
import type { HistoryEntry } from '../../analytics/history-ledger.ts'
import type { Levels, SourceLevels } from '../../analytics/levels.ts'
import type { JobState } from '../../engines/schedule.ts'
import { count, duration, paint, table } from '../print.ts'

/** Each source in a table of its own, then the checks. */
export function describeLevels({ sources, checks }: Levels): string {
  const checked =
    checks === null
      ? 'checks never ran; run: plinth check'
      : `${count(checks.ran, 'check')} at ${moment(checks.at)}: ${checks.failed === 0 ? paint.green('0 failed') : paint.red(`${checks.failed} failed`)}, ${checks.warned} warned`
  return [...sources.map(describeSource), checked].join('\n\n')
}

export function describeHistory(entries: readonly HistoryEntry[]): string {
  if (entries.length === 0) return 'Nothing was done yet.'
  const rows = entries.map(one => [
    moment(one.at),
    one.kind,
    one.source,
    one.status === 'ok' ? paint.green('ok') : paint.red(one.status),
    one.found,
    one.durationMs === null ? '' : duration(one.durationMs),
  ])
  return table(['when', 'what', 'source', '', 'found', 'took'], rows)
}

export function describeJobs(jobs: readonly JobState[]): string {
  if (jobs.length === 0) return ''
  const colours = { never: paint.dim, running: paint.yellow, succeeded: paint.green, failed: paint.red }
  const rows = jobs.map(job => [
    job.job,
    colours[job.status](job.code === null ? job.status : `${job.status} ${job.code}`),
    job.finishedAt === null ? '' : moment(job.finishedAt),
    job.dueInMs === 0 ? 'now' : `in ${duration(job.dueInMs)}`,
    job.owner ?? '',
  ])
  return table(['job', 'last', 'when', 'due', 'by'], rows)
}

function describeSource(level: SourceLevels): string {
  const ago = (seconds: number | null) => (seconds === null ? 'never' : `${age(seconds)} ago`)
  const waits = level.pendingMarks === 0 ? '' : `, ${count(level.pendingCells, 'cell')} waiting`
  const different = level.differentCells ?? 0
  const rows = [
    ['lag', level.lagSeconds === null ? 'never rolled up' : `${duration(level.lagSeconds * 1000)}${waits}`],
    ['last read', ago(level.ageSeconds)],
    ['newest event', ago(level.freshnessSeconds)],
    ['last run', level.lastRunSeconds === null ? 'none' : `took ${duration(level.lastRunSeconds * 1000)}`],
    ['written', `${count(level.cells, 'cell')} and ${count(level.rows, 'row')} in ${count(level.runs, 'run')}`],
    ['late', `${count(level.lateEvents, 'event')} in ${count(level.lateCells, 'cell')}`],
    [
      'reconciled',
      `${ago(level.reconciledSecondsAgo)}, ${different === 0 ? '0 different' : paint.red(`${different} different`)}; ${count(level.differedCells, 'cell')} ever`,
    ],
    ['sealed before', level.sealedBefore === null ? 'nothing sealed' : level.sealedBefore.slice(0, 10)],
    [
      'in quarantine',
      level.quarantinedCells === 0
        ? 'nothing'
        : paint.yellow(`${count(level.quarantinedCells, 'cell')}; see: plinth rollup quarantine list`),
    ],
  ]
  return `${paint.bold(level.source)}\n${table(['', ''], rows).split('\n').slice(1).join('\n')}`
}

function age(seconds: number): string {
  const hours = seconds / 3600
  if (hours < 3) return duration(Math.max(0, seconds) * 1000)
  return hours < 72 ? count(Math.round(hours), 'hour') : count(Math.round(hours / 24), 'day')
}

function moment(at: string): string {
  return `${at.slice(0, 19).replace('T', ' ')} UTC`
}

/** What apply, rollback and redo did, for people and for machines. */
import type { OnTrack } from '../../foundation/desk.ts'
import type { Report } from '../../migrations/run.ts'
import type { StepReport } from '../../migrations/run-step.ts'
import type { Outcome } from '../command.ts'
import { count, duration, paint } from '../print.ts'

export function reportOutcome(reports: readonly OnTrack<Report>[]): Outcome {
  return {
    data: {
      tracks: reports.map(({ track, address, result: { error: _error, ...report } }) => ({ track, address, report })),
    },
    text: reports.map(describeReport).join('\n'),
    warnings: reports.flatMap(({ result }) => result.notices),
  }
}

function describeReport({ track, address, result }: OnTrack<Report>): string {
  const { done, direction, current, durationMs, runId } = result
  const state = current === null ? 'now empty' : `now at ${current}`
  if (done.length === 0) return `${paint.bold(track)} on ${address}: nothing to do, ${state}.`
  const verb = direction === 'up' ? 'applied' : 'taken back'
  return [
    `${paint.bold(track)} on ${address}: ${count(done.length, 'migration')} ${verb} in ${duration(durationMs)}, ${state}.${waited(result)} ${paint.dim(`Run ${runId}.`)}`,
    ...done.flatMap(describePreserved),
    ...result.notices.map(notice => paint.yellow(`! ${notice}`)),
  ].join('\n')
}

/** What was kept and what came back, where there was something of either. */
function describePreserved({ version, preserved }: StepReport): string[] {
  if (!preserved) return []
  const kept = preserved.archiveId === null ? [] : [`kept what it destroyed in archive ${preserved.archiveId}`]
  const back = preserved.restored.map(({ source, restored, kept: stayed, defaulted, orphaned, unmatched, keys }) => {
    const others = Object.entries({ kept: stayed, defaulted, orphaned, unmatched }).filter(([, rows]) => rows > 0)
    const named = Object.entries(keys).filter(([, some]) => some.length > 0)
    return [
      `${source.replaceAll('"', '')}: ${count(restored, 'row')} restored`,
      ...others.map(([what, rows]) => `${rows} ${what}`),
      ...named.map(([what, some]) => `${what}: ${some.join(' ')}`),
    ].join(', ')
  })
  return [...kept, ...back].map(line => `  ${paint.dim(version)} ${line}`)
}

/** The residual downtime of a rollback. */
function waited({ direction, downtime }: Report): string {
  if (direction === 'up') return ''
  if (downtime.longestMs === 0) return ' Nobody had to wait for it.'
  return ` Others waited ${duration(downtime.longestMs)} at most${downtime.basis === 'observed' ? '' : ' (bound by the time that locks were held)'}.`
}

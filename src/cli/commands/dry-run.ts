/** What apply and rollback would do: read, or tried out in a transaction that is rolled back. */
import type { OnTrack } from '../../foundation/desk.ts'
import type { DryRun, TriedStep } from '../../migrations/rehearse/dry-run.ts'
import type { Context, OptionSpec, Outcome } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'
import { acceptedLoss } from './accept-loss.ts'
import { isAll } from './fleet.ts'
import { planOutcome } from './plan.ts'
import { targetDown, targetUp } from './target.ts'

export const dryRunOption: OptionSpec = {
  flags: '--dry-run [how]',
  description: 'print the plan and change nothing; "execute" runs it in a transaction that is rolled back',
  choices: ['plan', 'execute'],
}

export async function dryRunOutcome(context: Context, direction: 'up' | 'down'): Promise<Outcome> {
  if (context.options['dryRun'] !== 'execute') return planOutcome(context, direction)
  if (isAll(context)) throw new RangeError('--dry-run=execute tries one database; leave out --all')
  const tracks = await context.foundation.dryRun({
    direction,
    target: direction === 'up' ? targetUp(context) : targetDown(context),
    allowOutOfOrder: context.options['allowOutOfOrder'] === true,
    retryFailed: context.options['retryFailed'] === true,
    acceptLoss: acceptedLoss(context),
  })
  return {
    data: {
      tracks: tracks.map(({ track, address, result: { error: _error, ...report } }) => ({ track, address, report })),
    },
    text: tracks.map(describe).join('\n\n'),
    warnings: tracks.flatMap(({ result }) => [
      ...result.notices,
      ...result.steps.flatMap(({ reason }) => reason ?? []),
    ]),
  }
}

function describe({ track, address, result }: OnTrack<DryRun>): string {
  const { steps, durationMs, notices } = result
  const passed = steps.filter(({ status }) => status === 'passed').length
  const head =
    steps.length === 0
      ? 'nothing to do'
      : `${passed} of ${count(steps.length, 'migration')} tried in ${duration(durationMs)} and rolled back`
  return [
    `${paint.bold(track)} on ${address}: ${head}`,
    table(['version', 'name', 'result', 'took', 'rows', 'strongest locks', 'rewrites'], steps.map(rowOf)),
    ...steps.flatMap(({ version, reason }) => (reason === null ? [] : [`${paint.dim(version)} ${reason}`])),
    ...notices.map(notice => paint.yellow(`! ${notice}`)),
  ]
    .filter(Boolean)
    .join('\n')
}

function rowOf({ version, slug, status, durationMs, statements }: TriedStep): string[] {
  const changed = statements.flatMap(({ rows }) => rows.map(one => one.inserted + one.updated + one.deleted))
  const exclusive = statements.flatMap(({ locks }) =>
    locks.filter(({ mode, kind }) => mode === 'AccessExclusiveLock' && kind !== 'index'),
  )
  const rewrites = statements.flatMap(one => one.rewrites)
  return [
    version,
    slug,
    status === 'passed' ? paint.green(status) : paint.yellow(status),
    status === 'passed' ? duration(durationMs) : '',
    status === 'passed' ? String(changed.reduce((sum, rows) => sum + rows, 0)) : '',
    [...new Set(exclusive.map(({ relation }) => `access exclusive on ${relation}`))].join(', '),
    [...new Set(rewrites)].join(', '),
  ]
}

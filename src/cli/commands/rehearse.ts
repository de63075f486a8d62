import type { TrackForecast } from '../../foundation/forecast.ts'
import type { Forecast, StatementForecast, StepForecast } from '../../migrations/rehearse/forecast.ts'
import type { CommandSpec } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'
import { targetDown, targetUp } from './target.ts'

export const rehearse: CommandSpec = {
  name: 'rehearse',
  summary: 'run what is pending on a scratch database and show what it locks, rewrites and costs',
  description:
    'Replays what the database has on a scratch database, then runs what is pending there, one statement at a time. Nothing of the database itself is changed. Files or folders can be named instead; each is rehearsed behind those before it in its folder. Exit status 1 when a statement fails.',
  group: 'migrations',
  arguments: [{ name: '[file...]', description: 'files or folders, in place of what is pending' }],
  options: [
    { flags: '--to <version>', description: 'up to and with this version' },
    { flags: '--rollback', description: 'rehearse a rollback' },
    { flags: '--steps <count>', description: 'with --rollback: how many migrations to take back' },
    { flags: '--allow-out-of-order', description: 'also migrations that are older than the newest applied one' },
  ],
  examples: [
    'plinth rehearse',
    'plinth rehearse db/migrations/operational/202611010930_users.up.sql',
    'plinth rehearse --rollback --steps 1 --track operational --json',
    'plinth rehearse --rehearse-on postgres://me@localhost/scratch',
  ],
  async run(context) {
    const direction = context.options['rollback'] ? ('down' as const) : ('up' as const)
    const tracks = await context.foundation.rehearse({
      files: context.arguments,
      direction,
      target: direction === 'up' ? targetUp(context) : targetDown(context),
      allowOutOfOrder: context.options['allowOutOfOrder'] === true,
      retryFailed: true,
    })
    const failed = tracks.some(({ forecast }) => forecast?.steps.some(step => step.failure))
    return {
      data: {
        tracks: tracks.map(({ track, address, forecast, reason, rehearsal }) => ({
          track,
          address,
          reason,
          forecast,
          steps: rehearsal?.steps.map(({ after: _after, ...step }) => step) ?? [],
        })),
      },
      text: tracks.map(describeTrack).join('\n\n'),
      exit: failed ? 1 : 0,
      warnings: tracks.flatMap(({ notices, forecast }) => [...notices, ...(forecast?.gaps ?? [])]),
    }
  },
}

function describeTrack({ track, address, forecast, reason, notices }: TrackForecast): string {
  const on = address === null ? '' : ` for ${address}`
  const head = forecast
    ? `${count(forecast.steps.length, 'migration')} rehearsed on PostgreSQL ${forecast.serverVersion}`
    : (reason ?? 'nothing to do')
  return [`${paint.bold(track)}${on}: ${head}`, ...(forecast ? [describeForecast(forecast)] : []), ...notices.map(warn)]
    .filter(Boolean)
    .join('\n')
}

/** The table that a plan shows as well. */
export function describeForecast({ steps, gaps }: Forecast): string {
  const rows = steps.flatMap(step => step.statements.map((one, at) => [at === 0 ? step.version : '', ...cellsOf(one)]))
  return [
    table(['version', 'line', 'statement', 'lock', 'rewrites', 'rows', 'takes', 'class'], rows),
    ...steps.flatMap(describeWaits),
    ...steps.flatMap(describeFailure),
    ...gaps.map(warn),
  ]
    .filter(Boolean)
    .join('\n')
}

function cellsOf({ line, summary, lock, rewrites, rows, durationMs, class: kind }: StatementForecast): string[] {
  return [
    String(line),
    clip(summary),
    lock === null || lock.shutsOut === 'nobody' ? '' : `${spell(lock.mode)} on ${lock.relation}`,
    rewrites.join(', '),
    rows === null ? '' : rows.toLocaleString('en'),
    rows === null || rows === 0 ? '' : `about ${duration(durationMs)}`,
    kind === 'long' ? paint.red(kind) : kind === 'brief' || kind === 'slow' ? paint.yellow(kind) : kind,
  ]
}

/** `AccessExclusiveLock` → `access exclusive`. */
function spell(mode: string): string {
  return mode
    .replace(/Lock$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase()
}

function describeWaits({ version, readersWaitMs, writersWaitMs, statements }: StepForecast): string[] {
  if (!statements.some(one => one.class === 'long')) return []
  const who =
    readersWaitMs > 0
      ? `reads wait for about ${duration(readersWaitMs)}, writes for about ${duration(writersWaitMs)}`
      : `writes wait for about ${duration(writersWaitMs)}`
  return [`${paint.dim(version)} ${who}`]
}

function describeFailure({ version, failure }: StepForecast): string[] {
  if (!failure) return []
  const state = failure.sqlState === null ? '' : paint.dim(` (SQLSTATE ${failure.sqlState})`)
  return [
    `${paint.red('✗')} ${version} fails at line ${failure.line}, column ${failure.column}: ${failure.message}${state}`,
  ]
}

function warn(text: string): string {
  return paint.yellow(`! ${text}`)
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

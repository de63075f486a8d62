import type { OnTrack } from '../../foundation/desk.ts'
import { describeDirectives } from '../../migrations/directives.ts'
import type { Plan, Step } from '../../migrations/plan.ts'
import type { Finding } from '../../schema/finding.ts'
import type { CommandSpec, Context, Outcome } from '../command.ts'
import { fleetOutcome, isAll } from './fleet.ts'
import { count, paint, table } from '../print.ts'
import { describeFinding } from './lint.ts'
import { describeForecast } from './rehearse.ts'
import { targetDown, targetUp } from './target.ts'

export const plan: CommandSpec = {
  name: 'plan',
  summary: 'show what apply or rollback would run, and change nothing',
  group: 'migrations',
  options: [
    {
      flags: '--to <version>',
      description: 'up to and with this version; with --rollback, down to it (0 takes everything back)',
    },
    { flags: '--rollback', description: 'plan a rollback' },
    { flags: '--steps <count>', description: 'with --rollback: how many migrations to take back' },
    { flags: '--run <id>', description: 'with --rollback: what this run applied' },
    {
      flags: '--repeatable <name>',
      description: 'with --rollback: only this repeatable, to the text that it had before',
    },
    { flags: '--all', description: 'for every database of the fleet' },
    { flags: '--allow-out-of-order', description: 'also plan migrations that are older than the newest applied one' },
    { flags: '--retry-failed', description: 'also plan a migration that failed before and was not edited since' },
  ],
  examples: [
    'plinth plan',
    'plinth plan --track operational --to 202611010930',
    'plinth plan --rollback --steps 1 --track operational',
  ],
  run: async context => planOutcome(context, context.options['rollback'] ? 'down' : 'up'),
}

/** What `apply --dry-run` and `rollback --dry-run` print as well. */
export async function planOutcome(context: Context, direction: 'up' | 'down'): Promise<Outcome> {
  const request = {
    direction,
    target: direction === 'up' ? targetUp(context) : targetDown(context),
    allowOutOfOrder: context.options['allowOutOfOrder'] === true,
    retryFailed: context.options['retryFailed'] === true,
  }
  if (isAll(context)) return fleetOutcome(await context.foundation.planFleet(request), 'planned')
  const plans = await context.foundation.plan(request)
  return {
    data: { tracks: plans.map(({ track, address, result }) => ({ track, address, plan: result })) },
    text: plans.map(describePlan).join('\n\n'),
  }
}

function describePlan({ track, address, result }: OnTrack<Plan>): string {
  const { steps, from, to, notices } = result
  const head = `${paint.bold(track)} on ${address}: ${steps.length === 0 ? 'nothing to do' : `${count(steps.length, 'migration')} ${result.direction}, ${from ?? 'empty'} → ${to ?? 'empty'}`}`
  const rows = steps.map(step => [
    step.version,
    step.slug,
    step.mode === 'transactional'
      ? 'one transaction'
      : `statement by statement${step.cursor > 0 ? `, from ${step.cursor + 1}` : ''}`,
    String(step.statements.length),
    step.lossClass ?? 'not judged',
    step.tables.length > 4
      ? `${step.tables.slice(0, 4).join(', ')} and ${step.tables.length - 4} more`
      : step.tables.join(', '),
  ])
  return [
    head,
    table(['version', 'name', 'how', 'statements', 'loses', 'tables'], rows),
    ...steps.flatMap(describeLosses),
    ...steps.flatMap(describeWishes),
    ...notices.map(notice => paint.yellow(`! ${notice}`)),
    result.forecast ? describeForecast(result.forecast) : '',
    result.forecastReason ? paint.dim(`Locks and rewrites are not foreseen: ${result.forecastReason}`) : '',
    ...(result.findings ?? []).flatMap(describeOpen),
  ]
    .filter(Boolean)
    .join('\n')
}

/** Without the lines of the file, which `plinth lint` shows; notices are only counted there. */
function describeOpen(finding: Finding): string[] {
  if (finding.allowed !== null || finding.severity === 'notice') return []
  return [describeFinding(finding, undefined)]
}

/** Why a migration is not lossless. */
function describeLosses({ version, losses }: Step): string[] {
  return losses.map(loss => `${paint.dim(version)} ${loss}`)
}

/** What the head and the checks of a migration ask for, where they ask for anything. */
function describeWishes({ version, directives, checks }: Step): string[] {
  const wishes = describeDirectives(directives)
  const lines = checks.map(({ name, moment }) => `check "${name}" ${moment}`)
  const all = [wishes, directives.reason ?? '', ...lines].filter(Boolean)
  return all.length === 0 ? [] : [`${paint.dim(version)} ${all.join('; ')}`]
}

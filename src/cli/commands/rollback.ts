import type { Target } from '../../migrations/select.ts'
import type { CommandSpec, Context, Outcome } from '../command.ts'
import { acceptedLoss, acceptLossOption } from './accept-loss.ts'
import { fleetOutcome, isAll } from './fleet.ts'
import { dryRunOption, dryRunOutcome } from './dry-run.ts'
import { reportOutcome } from './report.ts'
import { targetDown } from './target.ts'

export const rollback: CommandSpec = {
  name: 'rollback',
  summary: 'take applied migrations back',
  description:
    'Runs down files in reverse order, as far as the target says; a down that is gone from the folder runs as it was stored when it was applied. What was applied last goes first; a run from the middle is refused, with the list, while something that was applied later stands on it. Repeatables go back with everything, with the run that changed them, or by name. Says how long others may have waited. Asks for the name of the database unless --yes is given.',
  group: 'migrations',
  options: [
    { flags: '--to <version>', description: 'until this version is the newest; 0 takes everything back' },
    { flags: '--steps <count>', description: 'how many migrations to take back' },
    { flags: '--run <id>', description: 'what this run applied; `last` is the last that applied something' },
    { flags: '--repeatable <name>', description: 'only this repeatable, to the text that it had before' },
    { flags: '--all', description: 'on every database of the fleet: the canary first, then a few at a time' },
    dryRunOption,
    acceptLossOption,
  ],
  examples: [
    'plinth rollback --steps 1 --track operational',
    'plinth rollback --to 0 --track operational --yes',
    'plinth rollback --run last --track operational',
    'plinth rollback --repeatable R__views --track operational',
    'plinth rollback --all --to 202601010000 --yes',
  ],
  async run(context) {
    const target = targetDown(context)
    if (context.options['dryRun']) return dryRunOutcome(context, 'down')
    if (isAll(context)) return rollbackAll(context, target)
    const plans = await context.foundation.plan({ direction: 'down', target })
    for (const { address, result } of plans.filter(one => one.result.steps.length > 0)) {
      const name = address.split('/').at(-1) ?? address
      await context.confirm({
        consequence: `${result.steps.length} migrations of ${address} will be taken back; the data that only they hold goes to the archive, and comes back when they are applied again.`,
        name,
      })
    }
    return reportOutcome(await context.foundation.rollback({ target, acceptLoss: acceptedLoss(context) }))
  },
}

/** Looked at everywhere first, so that the question says how much is at stake, and a database that refuses is known before. */
async function rollbackAll(context: Context, target: Target | undefined): Promise<Outcome> {
  const plan = await context.foundation.planFleet({ direction: 'down', target })
  if (plan.status === 'failed') return fleetOutcome(plan, 'planned')
  const databases = plan.databases.filter(({ stepsDone }) => stepsDone > 0)
  const steps = databases.reduce((sum, { stepsDone }) => sum + stepsDone, 0)
  if (steps > 0) {
    await context.confirm({
      consequence: `${steps} migrations of ${databases.length} databases will be taken back; the data that only they hold goes to the archive.`,
      name: context.foundation.config.environment.name,
    })
  }
  return fleetOutcome(
    await context.foundation.rollbackFleet({ target, acceptLoss: acceptedLoss(context) }),
    'taken back',
  )
}

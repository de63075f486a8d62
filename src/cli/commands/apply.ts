import type { CommandSpec } from '../command.ts'
import { acceptedLoss, acceptLossOption } from './accept-loss.ts'
import { fleetOutcome, isAll } from './fleet.ts'
import { dryRunOption, dryRunOutcome } from './dry-run.ts'
import { reportOutcome } from './report.ts'
import { targetUp } from './target.ts'

export const apply: CommandSpec = {
  name: 'apply',
  summary: 'apply what is pending',
  description:
    'Applies pending migrations in order. Two at once: one works, the other waits and then finds nothing to do. Safe to run again after any interruption.',
  group: 'migrations',
  options: [
    { flags: '--to <version>', description: 'up to and with this version' },
    { flags: '--all', description: 'on every database of the fleet: the canary first, then a few at a time' },
    dryRunOption,
    { flags: '--allow-out-of-order', description: 'also apply migrations that are older than the newest applied one' },
    { flags: '--retry-failed', description: 'apply a migration again that failed before and was not edited since' },
    acceptLossOption,
  ],
  examples: [
    'plinth apply',
    'plinth apply --dry-run',
    'plinth apply --dry-run=execute',
    'plinth apply --all --json',
    'plinth apply --dir ./migrations --database postgres://me@localhost/mydb',
  ],
  async run(context) {
    if (context.options['dryRun']) return dryRunOutcome(context, 'up')
    const request = {
      target: targetUp(context),
      allowOutOfOrder: context.options['allowOutOfOrder'] === true,
      retryFailed: context.options['retryFailed'] === true,
      acceptLoss: acceptedLoss(context),
    }
    if (isAll(context)) return fleetOutcome(await context.foundation.applyFleet(request), 'applied')
    const reports = await context.foundation.apply(request)
    return reportOutcome(reports)
  },
}

import type { CommandSpec } from '../command.ts'
import { planOutcome } from './plan.ts'
import { reportOutcome } from './report.ts'
import { targetDown } from './target.ts'

export const rollback: CommandSpec = {
  name: 'rollback',
  summary: 'take applied migrations back',
  description:
    'Runs down files in reverse order, as far as the target says; a down that is gone from the folder runs as it was stored when it was applied. Asks for the name of the database unless --yes is given.',
  group: 'migrations',
  options: [
    { flags: '--to <version>', description: 'until this version is the newest; 0 takes everything back' },
    { flags: '--steps <count>', description: 'how many migrations to take back' },
    { flags: '--run <id>', description: 'what this run applied; `last` is the last that applied something' },
    { flags: '--dry-run', description: 'print the plan and change nothing' },
  ],
  examples: [
    'plinth rollback --steps 1 --track operational',
    'plinth rollback --to 0 --track operational --yes',
    'plinth rollback --run 4f9d… --track operational',
  ],
  async run(context) {
    const target = targetDown(context)
    const plans = await context.foundation.plan({ direction: 'down', target })
    if (context.options['dryRun']) return planOutcome(context, 'down')
    for (const { address, result } of plans.filter(one => one.result.steps.length > 0)) {
      const name = address.split('/').at(-1) ?? address
      await context.confirm({
        consequence: `${result.steps.length} migrations of ${address} will be taken back, with the data that only they hold.`,
        name,
      })
    }
    return reportOutcome(await context.foundation.rollback({ target }))
  },
}

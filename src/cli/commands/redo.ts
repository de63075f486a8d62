import { type CommandSpec, wholeNumber } from '../command.ts'
import { acceptedLoss, acceptLossOption } from './accept-loss.ts'
import { reportOutcome } from './report.ts'

export const redo: CommandSpec = {
  name: 'redo',
  summary: 'take the newest migration back and apply it again',
  description:
    'For work on a new migration: rollback and apply under one lock. Asks for confirmation unless --yes is given.',
  group: 'migrations',
  options: [{ flags: '--steps <count>', description: 'how many migrations; default 1' }, acceptLossOption],
  examples: ['plinth redo --track operational', 'plinth redo --steps 2 --track operational --yes'],
  async run(context) {
    const count = wholeNumber(context, 'steps') ?? 1
    const plans = await context.foundation.plan({ direction: 'down', target: { kind: 'steps', count } })
    for (const { address, result } of plans) {
      const name = address.split('/').at(-1) ?? address
      await context.confirm({
        consequence: `${result.steps.length} migrations of ${address} will be taken back and applied again; the data that only they hold goes to the archive and comes back.`,
        name,
      })
    }
    return reportOutcome(await context.foundation.redo(count, acceptedLoss(context)))
  },
}

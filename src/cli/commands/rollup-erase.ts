import { PlinthError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'
import { count, paint } from '../print.ts'

export const rollupErase: CommandSpec = {
  name: 'rollup erase',
  summary: 'take an organization out of what is sealed',
  description:
    'Deletes the organization’s events from sealed hours of the warehouse, computes their rollups anew and seals the hours anew, in one transaction for each piece. What the source still has is deleted there, and follows with the next run; delete it first: a sealed hour that has its events at the source is refused.',
  group: 'data',
  arguments: [{ name: '<organization>', description: 'id of the organization' }],
  examples: ['plinth rollup erase 7f3c2b1a-0000-4000-8000-000000000007 --yes'],
  async run(context) {
    const [organization] = context.arguments
    if (organization === undefined) throw new PlinthError('USAGE', 'Which organization?')
    const consequence = `The sealed usage of ${organization} will be gone for good.`
    await context.confirm({ consequence, name: organization })
    const report = await context.foundation.eraseFromRollups(organization)
    const lines = report.sources.map(({ source, cells, rows }) =>
      cells === 0
        ? `${paint.bold(source)}: nothing that is sealed is of this organization.`
        : `${paint.bold(source)}: ${count(rows, 'event')} left ${count(cells, 'sealed cell')}.`,
    )
    return { data: report, text: lines.join('\n') }
  },
}

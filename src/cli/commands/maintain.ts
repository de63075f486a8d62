import { PlinthError } from '../../errors.ts'
import type { CommandSpec } from '../command.ts'
import { failureData, paint, table } from '../print.ts'

export const maintain: CommandSpec = {
  name: 'maintain',
  summary: 'do once what `plinth serve` keeps doing, for cron or Kubernetes',
  description:
    'Rolls up, proves and checks, makes partitions ahead, seals and retires: each job once, now, under the same leases as `plinth serve`, so that both may run beside each other. The exit status is that of the first job that failed.',
  group: 'operations',
  examples: ['plinth maintain', 'plinth maintain --json'],
  async run({ foundation }) {
    const reports = await foundation.maintain()
    const rows = reports.map(({ job, outcome, error }) => [
      outcome === 'succeeded' ? paint.green('ok') : paint.red(error?.code ?? outcome),
      job,
      error ? [error.message, error.hint].filter(Boolean).join(' ') : '',
    ])
    const failed = reports.find(({ error }) => error !== null)?.error
    return {
      data: { jobs: reports.map(report => ({ ...report, error: report.error ? failureData(report.error) : null })) },
      text: table(['result', 'job', ''], rows),
      exit: failed instanceof PlinthError ? failed.exitStatus : 0,
    }
  },
}

import type { CheckStatus } from '../../telemetry/event.ts'
import type { CommandSpec } from '../command.ts'
import { failureData, paint, table } from '../print.ts'

export const check: CommandSpec = {
  name: 'check',
  summary: 'run the assertions on the warehouse',
  description:
    'Runs the tests of the analytics project: unique, not_null, accepted_values, relationships, and its own SQL. Exit status 3 when one of severity error fails.',
  group: 'data',
  examples: ['plinth check', 'plinth check --json'],
  async run({ foundation }) {
    const report = await foundation.check()
    const rows = report.checks.map(one => [
      colours[one.status](one.status),
      one.check,
      one.failures > 0 ? `${one.failures.toLocaleString('en-US')} rows` : (one.error?.message ?? ''),
    ])
    return {
      data: {
        ...report,
        checks: report.checks.map(one => ({ ...one, error: one.error ? failureData(one.error) : null })),
      },
      text: `${table(['result', 'check', 'wrong'], rows)}\n${report.checks.filter(one => one.status === 'passed').length} of ${report.checks.length} passed`,
      exit: report.status === 'failed' ? 3 : 0,
    }
  },
}

const colours: Readonly<Record<CheckStatus, (text: string) => string>> = {
  passed: paint.green,
  warned: paint.yellow,
  failed: paint.red,
  error: paint.red,
}

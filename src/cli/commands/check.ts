import type { CheckReport } from '../../analytics/check/check.ts'
import type { FreshnessReport } from '../../analytics/check/freshness.ts'
import type { UnitTestReport, UnitTestResult } from '../../analytics/check/unit-test.ts'
import type { CheckStatus } from '../../telemetry/event.ts'
import type { CommandSpec, Outcome } from '../command.ts'
import { duration, failureData, paint, table } from '../print.ts'
import { projectOptions, projectRequest } from './rollup-project.ts'

export const check: CommandSpec = {
  name: 'check',
  summary: 'run the assertions on the warehouse',
  description:
    "Runs the tests of the analytics project: unique, not_null, accepted_values, relationships, the project's own, and its own SQL. With --unit, its unit tests, in memory and without a warehouse; with --freshness, how old the newest row of each source is. Exit status 3 when one of severity error fails.",
  group: 'data',
  options: [
    { flags: '--unit', description: 'run the unit tests instead, which need no database' },
    { flags: '--freshness', description: 'look at the freshness of sources instead' },
    { flags: '--store-failures', description: 'keep the wrong rows of every check in a table of the warehouse' },
    ...projectOptions,
  ],
  examples: [
    'plinth check',
    'plinth check --select usage_hourly --store-failures',
    'plinth check --unit',
    'plinth check --freshness --json',
  ],
  async run(context) {
    const { foundation, options } = context
    const request = projectRequest(context)
    if (options['unit']) return unitOutcome(await foundation.runUnitTests(request))
    if (options['freshness']) return freshnessOutcome(await foundation.checkFreshness(request))
    const storing = options['storeFailures'] ? 'every check' : 'as declared'
    return checkOutcome(await foundation.check({ ...request, storing }))
  },
}

function checkOutcome(report: CheckReport): Outcome {
  const rows = report.checks.map(one => [
    colours[one.status](one.status),
    one.check,
    one.error?.message ?? (one.failures > 0 ? `${one.failures.toLocaleString('en-US')} rows` : ''),
    one.failures > 0 ? (one.stored ?? '') : '',
  ])
  const titles = rows.some(row => row[3] !== '')
    ? ['result', 'check', 'wrong', 'kept in']
    : ['result', 'check', 'wrong']
  return {
    data: {
      ...report,
      checks: report.checks.map(one => ({ ...one, error: one.error ? failureData(one.error) : null })),
    },
    text: `${table(
      titles,
      rows.map(row => row.slice(0, titles.length)),
    )}\n${passed(report.checks)}`,
    exit: report.status === 'failed' ? 3 : 0,
  }
}

function freshnessOutcome(report: FreshnessReport): Outcome {
  const rows = report.sources.map(one => [
    colours[one.status](one.status),
    one.source,
    one.newestAt ?? 'no row',
    one.error?.message ?? (one.ageMs === null ? '' : `${duration(one.ageMs)} old`),
    one.warnAfterMs === null ? '' : duration(one.warnAfterMs),
    one.errorAfterMs === null ? '' : duration(one.errorAfterMs),
  ])
  return {
    data: {
      ...report,
      sources: report.sources.map(one => ({ ...one, error: one.error ? failureData(one.error) : null })),
    },
    text: `${table(['result', 'source', 'newest row', 'age', 'warns after', 'fails after'], rows)}\n${passed(report.sources)}`,
    exit: report.status === 'failed' ? 3 : 0,
  }
}

function unitOutcome(report: UnitTestReport): Outcome {
  const lines = report.tests.map(one => {
    const place = one.file === null ? '' : paint.dim(`  ${one.file}${one.line === null ? '' : `:${one.line}`}`)
    const head = `${colours[one.status](one.status)}  ${one.test} (${one.transform})${one.status === 'passed' ? '' : place}`
    return [head, ...details(one)].join('\n')
  })
  return {
    data: {
      ...report,
      tests: report.tests.map(one => ({ ...one, error: one.error ? failureData(one.error) : null })),
    },
    text: `${lines.join('\n')}${lines.length > 0 ? '\n' : ''}${passed(report.tests)}`,
    exit: report.status === 'failed' ? 3 : 0,
  }
}

/** Rows that lack with a minus, rows too many with a plus, and of those that changed both values. */
function details({ columns, differences, error }: UnitTestResult): string[] {
  if (error) {
    const { file, line } = error.at ?? {}
    return [
      `  ${error.message}${file ? paint.dim(` (${file}${line ? `:${line}` : ''})`) : ''}`,
      error.hint ? `  ${paint.cyan('→')} ${error.hint}` : '',
    ].filter(Boolean)
  }
  if (differences.length === 0) return []
  const value = (text: string | null | undefined) => (text === null || text === undefined ? 'null' : text)
  const rows = differences.map(({ kind, expected, found, columns: differing }) => [
    { missing: paint.red('-'), extra: paint.green('+'), changed: paint.yellow('~') }[kind],
    ...columns.map(column =>
      kind === 'changed' && differing.includes(column)
        ? `${paint.red(value(expected?.[column]))} → ${paint.green(value(found?.[column]))}`
        : value((expected ?? found)?.[column]),
    ),
  ])
  return table(['', ...columns], rows)
    .split('\n')
    .map(line => `  ${line}`)
}

function passed(results: readonly { readonly status: CheckStatus }[]): string {
  return `${results.filter(one => one.status === 'passed').length} of ${results.length} passed`
}

const colours: Readonly<Record<CheckStatus, (text: string) => string>> = {
  passed: paint.green,
  warned: paint.yellow,
  failed: paint.red,
  error: paint.red,
}

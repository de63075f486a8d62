import { relative } from 'node:path'
import type { UpReport } from '../../foundation/up.ts'
import type { CommandSpec } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'

export const up: CommandSpec = {
  name: 'up',
  summary: 'bring up the whole foundation: server, schema, seeds, rollups, checks, documents',
  description:
    'Starts the embedded PostgreSQL (or uses DATABASE_URL), applies all migrations, seeds local-dev where the environment takes seeds, rolls up, checks, reconciles and writes the documents. Run again, it changes nothing.',
  group: 'start',
  examples: ['plinth up', 'DATABASE_URL=postgres://me@localhost/mydb plinth up', 'plinth up --json'],
  async run({ foundation, options }) {
    const report = await foundation.up({ secrets: options['json'] ? 'discard' : 'reveal' })
    const data = {
      ...report,
      migrations: report.migrations.map(({ track, address, result: { error: _error, ...result } }) => ({
        track,
        address,
        report: result,
      })),
    }
    return {
      data,
      text: summary(report, relative(process.cwd(), foundation.config.docs)),
      exit: isHealthy(report) ? 0 : 3,
    }
  },
}

function isHealthy({ checks, reconciliation }: UpReport): boolean {
  return checks.status !== 'failed' && reconciliation.status !== 'different'
}

function summary(report: UpReport, folder: string): string {
  const took = new Map(report.phases.map(({ name, durationMs }) => [name, duration(durationMs)]))
  const line = (title: string, text: string, phase: UpReport['phases'][number]['name']) => [
    paint.bold(title),
    text,
    paint.dim(took.get(phase) ?? ''),
  ]
  const rows = [
    line(
      'Server',
      `${report.server.embedded ? 'PostgreSQL (embedded)' : 'PostgreSQL'} at ${report.server.address}`,
      'server',
    ),
    ...report.migrations.map(({ track, result }) =>
      line(
        'Schema',
        `${track} at ${result.current ?? 'empty'}${result.done.length > 0 ? `, ${count(result.done.length, 'migration')} applied` : ', nothing to apply'}`,
        'migrations',
      ),
    ),
    line('Seeds', describeSeed(report), 'seeds'),
    line('Rollups', describeRollup(report), 'rollups'),
    line('Checks', describeChecks(report), 'checks'),
    line('Equality', describeReconciliation(report), 'reconciliation'),
    line('Contract', describeDocuments(report, folder), 'documents'),
  ]
  const head = report.changed
    ? paint.green('The foundation is up')
    : paint.green('Everything was up to date; nothing was changed')
  return [
    `${head} ${paint.dim(`(${duration(report.durationMs)})`)}`,
    '',
    table(['', '', ''], rows).split('\n').slice(1).join('\n'),
    '',
    `${paint.bold('Connect')}    ${report.server.psql}`,
    `${paint.bold('Warehouse')}  ${report.warehouse}`,
    ...describeSecrets(report),
    ...(report.server.embedded ? ['', paint.dim('Stop the server with: npx plinth stop')] : []),
  ].join('\n')
}

function describeSeed({ seed }: UpReport): string {
  if (!seed) return 'none: this environment takes no demonstration data'
  const rows = (table: string) => {
    const found = seed.tables.find(one => one.table.endsWith(`.${table}`))
    return found ? found.inserted + found.updated + found.unchanged : 0
  }
  const amounts = [
    count(rows('organizations'), 'tenant'),
    count(rows('users'), 'user'),
    count(rows('api_keys'), 'API key'),
    count(rows('usage_events'), 'usage event'),
  ]
  return `${seed.package}: ${amounts.join(', ')}${seed.changed ? '' : ', unchanged'}; digest ${seed.digest.slice(0, 12)}`
}

function describeRollup({ rollup }: UpReport): string {
  if (rollup.status === 'nothing-to-do') return 'nothing new since the last run'
  return rollup.sources
    .map(({ cells, rows, tables }) => {
      const written = Object.entries(tables).map(([name, amount]) => `${count(amount, 'row')} in ${name}`)
      return `${count(rows, 'event')} of ${count(cells, 'cell')} → ${written.join(', ')}`
    })
    .join('; ')
}

function describeChecks({ checks }: UpReport): string {
  const passed = checks.checks.filter(check => check.status === 'passed').length
  const rest = checks.checks.filter(check => check.status !== 'passed').map(check => `${check.check} ${check.status}`)
  return `${passed} of ${checks.checks.length} passed${rest.length > 0 ? `: ${rest.join(', ')}` : ''}`
}

function describeReconciliation({ reconciliation }: UpReport): string {
  const total = (pick: (source: UpReport['reconciliation']['sources'][number]) => number) =>
    reconciliation.sources.reduce((sum, source) => sum + pick(source), 0)
  const repaired = total(source => source.repaired)
  return `${count(
    total(source => source.different),
    'difference',
  )} between source and warehouse in ${count(
    total(source => source.cells),
    'cell',
  )}${repaired > 0 ? `, ${repaired} repaired` : ''}`
}

function describeDocuments({ documents }: UpReport, folder: string): string {
  const written = documents.filter(({ change }) => change !== 'unchanged').length
  return `${count(documents.length, 'document')} in ${folder}, ${written > 0 ? `${written} written` : 'all current'}`
}

/** The only place where a secret is ever shown, and only by the run that made it. */
function describeSecrets({ seed }: UpReport): string[] {
  if (!seed || seed.secrets.length === 0) return []
  const rows = seed.secrets.map(({ label, secret }) => [label, secret])
  return ['', paint.bold('API keys of local-dev, shown this once:'), table(['key', 'secret'], rows)]
}

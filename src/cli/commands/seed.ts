import { type CommandSpec, text } from '../command.ts'
import { count, duration, paint, table } from '../print.ts'

export const seed: CommandSpec = {
  name: 'seed',
  summary: 'write a package of seeds, or list the packages',
  description:
    'Inserts what is missing, updates what differs, leaves the rest alone; a second run changes nothing and has the same digest on every machine. Only environments that are marked seedable take seeds.',
  group: 'data',
  options: [{ flags: '--package <name>', description: 'local-dev, ci or staging; without it the packages are listed' }],
  examples: [
    'plinth seed',
    'plinth seed --package local-dev',
    'plinth seed --package ci --database postgres://me@localhost/test',
  ],
  async run({ foundation, options, ...context }) {
    const name = text({ foundation, options, ...context }, 'package')
    if (name === undefined) {
      const packages = await foundation.seedPackages()
      return {
        data: { packages },
        text: table(
          ['package', 'what it is for'],
          packages.map(one => [paint.bold(one.name), one.description]),
        ),
      }
    }
    const report = await foundation.seed({ package: name, secrets: options['json'] ? 'discard' : 'reveal' })
    const { secrets, ...data } = report
    const rows = report.tables.map(one => [
      one.table,
      ...[one.inserted, one.updated, one.unchanged, one.extra].map(amount => amount.toLocaleString('en-US')),
      one.digest.slice(0, 12),
      duration(one.durationMs),
    ])
    const made = secrets.map(({ label, secret }) => [label, secret])
    return {
      data,
      text: [
        `${paint.bold(report.package)}: ${report.changed ? 'written' : 'nothing to change'} in ${duration(report.durationMs)}; ${count(report.tables.length, 'table')}, digest ${report.digest}`,
        table(['table', 'inserted', 'updated', 'unchanged', 'others', 'digest', 'took'], rows),
        made.length > 0
          ? `\n${paint.bold('Secrets made by this run, shown this once:')}\n${table(['key', 'secret'], made)}`
          : '',
      ]
        .filter(Boolean)
        .join('\n'),
    }
  },
}

import type { CommandSpec } from '../command.ts'
import { acceptDrift, adoptOutcome } from './adopt.ts'

export const baseline: CommandSpec = {
  name: 'baseline',
  summary: 'begin with a database that has everything up to a version already',
  description:
    'For a database that no tool kept a history of: applies the files up to and with the version to a scratch database, compares the catalogs, and writes those versions down as applied. Nothing is run on the database.',
  group: 'migrations',
  arguments: [{ name: '<version>', description: 'the newest version whose changes the database has' }],
  options: [acceptDrift],
  examples: [
    'plinth baseline 202611010930 --track operational',
    'plinth baseline 12 --dir ./migrations --database postgres://me@localhost/mydb',
  ],
  async run(context) {
    const report = await context.foundation.adopt({
      from: 'baseline',
      version: context.arguments[0],
      drift: context.options['acceptDrift'] ? 'accept' : 'refuse',
    })
    return adoptOutcome(report)
  },
}

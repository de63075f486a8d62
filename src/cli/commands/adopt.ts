import type { OnTrack } from '../../foundation/desk.ts'
import type { AdoptReport } from '../../migrations/adopt/index.ts'
import { spellDifference, wholes } from '../../migrations/spell.ts'
import type { ToolName } from '../../migrations/adopt/tool.ts'
import { type CommandSpec, type Outcome, text } from '../command.ts'
import { count, paint } from '../print.ts'

const tools = [
  'golang-migrate',
  'goose',
  'dbmate',
  'flyway',
  'node-pg-migrate',
  'graphile-migrate',
  'prisma',
  'sqlx',
  'supabase',
  'diesel',
  'sql-migrate',
  'atlas',
  'drizzle',
  'sqitch',
  'evolutions',
  'yoyo',
  'liquibase',
  'tern',
]

export const acceptDrift = {
  flags: '--accept-drift',
  description: 'take over although the catalog differs; the differences are kept with the history',
}

export const adopt: CommandSpec = {
  name: 'adopt',
  summary: 'take over the history of another migration tool, after proving it',
  description:
    'Reads the history table of golang-migrate, goose, dbmate, Flyway, node-pg-migrate, graphile-migrate, Prisma, sqlx, Supabase, Diesel, sql-migrate, Atlas, Drizzle, Sqitch, Play, yoyo, Liquibase or tern, applies its files to a scratch database and compares the catalogs. When they agree, the versions are written down as applied and the next apply goes on from there; nothing is run again and the other table is left as it is. A dirty or failed version is decided by the catalog. Exit status 3, with the list, when history and catalog differ.',
  group: 'migrations',
  options: [
    { flags: '--from <tool>', description: 'the tool; found by its table when there is only one', choices: tools },
    { flags: '--table <name>', description: 'its history table, when that has a name of its own' },
    { flags: '--at <version>', description: 'the version that the database is at, where the catalog cannot tell' },
    acceptDrift,
  ],
  examples: [
    'plinth adopt --track operational',
    'plinth adopt --dir ./migrations --database postgres://me@localhost/mydb',
    'plinth adopt --from goose --table audit.goose_db_version --track operational',
  ],
  async run(context) {
    const report = await context.foundation.adopt({
      from: text(context, 'from') as ToolName | undefined,
      table: text(context, 'table'),
      version: text(context, 'at'),
      drift: context.options['acceptDrift'] ? 'accept' : 'refuse',
    })
    return adoptOutcome(report)
  },
}

/** What both ways of taking over print. */
export function adoptOutcome({ track, address, result }: OnTrack<AdoptReport>): Outcome {
  const { adopted, from, table, version, doubt, differences, notices } = result
  const where = `${paint.bold(track)} on ${address}`
  const state = version === null ? 'nothing is applied' : `at ${version}`
  const head =
    result.status === 'nothing-to-do'
      ? `${where}: nothing new to take over, ${state}.`
      : `${where}: ${count(adopted.length, 'migration')} taken over ${table ? `from ${from} (${table})` : 'as a baseline'}, ${state}.`
  return {
    data: { track, address, report: result },
    text: [
      head,
      ...(doubt ? [`${doubt.meaning} ${doubt.verdict}`] : []),
      ...wholes(differences).map(difference => paint.yellow(`accepted: ${spellDifference(difference)}`)),
      ...notices.map(notice => paint.yellow(`! ${notice}`)),
    ].join('\n'),
    warnings: notices,
  }
}

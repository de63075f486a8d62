import { relative } from 'node:path'
import { type CommandSpec, type Context, type Outcome, text } from '../command.ts'
import { paint } from '../print.ts'

export const create: CommandSpec = {
  name: 'new',
  summary: 'write a pair of empty migration files, or those of a change that old and new code outlive',
  description: `Writes <version>_<slug>.up.sql and .down.sql into the folder of a track (default: the first), numbered as its other files are.

With --expand it writes three migrations: "expand" adds the new column and a trigger that keeps both the same, "migrate" fills it in batches, and "contract" takes the old one away, which its checks refuse while somebody still writes it. Deploy new code between migrate and contract.`,
  group: 'migrations',
  arguments: [{ name: '[slug]', description: 'what the migration does, such as add_invoice_table' }],
  options: [
    { flags: '--repeatable', description: 'write R__<slug>.sql, which runs behind the versions whenever it changed' },
    {
      flags: '--expand <change>',
      description: 'write expand, migrate and contract for this change',
      choices: ['rename-column', 'change-type', 'split-column', 'set-not-null'],
    },
    { flags: '--table <name>', description: 'with --expand: the table, such as shop.orders' },
    { flags: '--column <name>', description: 'with --expand: the column that changes' },
    { flags: '--to <name>', description: 'with --expand: the new column, or both of a split: first,second' },
    { flags: '--type <type>', description: 'with --expand: the type of the new column' },
    { flags: '--using <expression>', description: 'change-type: the new value from the old column; default a cast' },
    { flags: '--back <expression>', description: 'change-type: the old value from the new column; default a cast' },
    { flags: '--separator <text>', description: 'split-column: what stands between the parts; default a space' },
    { flags: '--fill <expression>', description: 'set-not-null: what stands in for null; default the default' },
    {
      flags: '--quiet-for <seconds>',
      description: 'with --expand: how long the old column was left alone before contract; default 600',
    },
  ],
  examples: [
    'plinth new add_invoice_table',
    'plinth new add_cost_by_region --track analytics',
    'plinth new --repeatable views',
    'plinth new --expand rename-column --table shop.orders --column amount --to total',
    'plinth new --expand change-type --table shop.orders --column id_text --to id_number --type bigint',
  ],
  async run(context) {
    if (context.options['expand'] !== undefined) return expandOutcome(context)
    const { foundation, arguments: names } = context
    const kind = context.options['repeatable'] === true ? 'repeatable' : 'version'
    const files = (await foundation.newMigration(names[0] ?? '', kind)).map(file => relative(process.cwd(), file))
    return { data: { files }, text: files.join('\n') }
  },
}

async function expandOutcome(context: Context): Promise<Outcome> {
  const quiet = text(context, 'quietFor')
  if (quiet !== undefined && !/^\d{1,7}$/.test(quiet))
    throw new RangeError('--quiet-for takes a whole number of seconds')
  const { files, notices } = await context.foundation.expandMigrations({
    expansion: text(context, 'expand') ?? '',
    table: required(context, 'table'),
    column: required(context, 'column'),
    to: text(context, 'to'),
    type: text(context, 'type'),
    using: text(context, 'using'),
    back: text(context, 'back'),
    separator: text(context, 'separator'),
    fill: text(context, 'fill'),
    quietMs: quiet === undefined ? undefined : Number(quiet) * 1000,
  })
  const written = files.map(file => relative(process.cwd(), file))
  return {
    data: { files: written, notices },
    text: [...written, ...notices.map(notice => paint.yellow(`! ${notice}`))].join('\n'),
  }
}

function required(context: Context, option: string): string {
  const value = text(context, option)
  if (value !== undefined) return value
  throw new RangeError(`--expand needs --${option}`)
}

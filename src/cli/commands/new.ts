import { relative } from 'node:path'
import type { CommandSpec } from '../command.ts'

export const create: CommandSpec = {
  name: 'new',
  summary: 'write a pair of empty migration files',
  description:
    'Writes <version>_<slug>.up.sql and .down.sql into the folder of a track (default: the first), numbered as its other files are.',
  group: 'migrations',
  arguments: [{ name: '<slug>', description: 'what the migration does, such as add_invoice_table' }],
  examples: [
    'plinth new add_invoice_table',
    'plinth new add_cost_by_region --track analytics',
    'plinth new add_index --dir ./migrations',
  ],
  async run({ foundation, arguments: [slug] }) {
    const files = (await foundation.newMigration(slug ?? '')).map(file => relative(process.cwd(), file))
    return { data: { files }, text: files.join('\n') }
  },
}

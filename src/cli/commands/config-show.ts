import type { CommandSpec } from '../command.ts'
import { paint, table } from '../print.ts'

export const configShow: CommandSpec = {
  name: 'config show',
  summary: 'print each setting and where it came from',
  description: 'Prints every setting. Passwords in URLs are replaced by ***.',
  group: 'operations',
  options: [
    { flags: '--origin', description: 'also print whether it came from a flag, a variable, a file or the default' },
  ],
  examples: ['plinth config show', 'plinth config show --origin --env production'],
  async run({ foundation, options }) {
    const settings = foundation.settings()
    const rows = settings.map(({ path, value, origin }) => [
      path,
      value,
      ...(options['origin'] ? [paint.dim(origin)] : []),
    ])
    return {
      data: { file: foundation.config.file, settings },
      text: table(['setting', 'value', ...(options['origin'] ? ['origin'] : [])], rows),
    }
  },
}

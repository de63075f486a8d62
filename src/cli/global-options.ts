/** Options that every command takes. */
import type { OptionSpec } from './command.ts'

export const globalOptions: readonly OptionSpec[] = [
  { flags: '--track <name>', description: 'act on one track: operational or analytics' },
  { flags: '--env <name>', description: 'environment of the configuration' },
  { flags: '--database <url>', description: 'database to act on' },
  { flags: '--dir <folder>', description: 'act on this folder of migrations alone' },
  { flags: '--rehearse-on <url>', description: 'a server to rehearse on, in place of the embedded one' },
  { flags: '--config <file>', description: 'configuration file' },
  { flags: '--json', description: 'print one JSON document' },
  { flags: '--events <format>', description: 'stream events to standard error', choices: ['ndjson'] },
  { flags: '--yes', description: 'confirm a destructive command' },
  { flags: '--quiet', description: 'print errors only' },
  { flags: '--verbose', description: 'print every statement, and stacks of errors' },
  { flags: '--no-color', description: 'print without colours' },
]

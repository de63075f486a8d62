/** The command line: reads arguments, opens the foundation, prints one outcome, sets the exit status. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import type { Residence } from '../config/lint.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import type { KeptSessions } from '../migrations/rehearse/kept-sessions.ts'
import type { Keep } from './answered.ts'
import type { CommandSpec, Confirmation, Context, OptionSpec, Outcome } from './command.ts'
import { commands } from './commands/index.ts'
import { globalOptions } from './global-options.ts'
import { failure, failureData } from './print.ts'

interface Globals {
  readonly track?: string
  readonly env?: string
  readonly database?: string
  readonly dir?: string
  readonly rehearseOn?: string
  readonly config?: string
  readonly json?: boolean
  readonly events?: string
  readonly yes?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/**
 * Runs one command line and ends the process with its exit status. `keep` takes what may be answered again without a run; where a resident is missing, a call of
 * lint starts one.
 */
export async function main(
  argv: readonly string[],
  keep?: Keep,
  resident: 'missing' | 'unwanted' = 'unwanted',
): Promise<void> {
  const interruption = new AbortController()
  const interrupt = () => (interruption.signal.aborted ? process.exit(130) : interruption.abort())
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  process.stdout.on('error', endUnread)
  let wished = 'off' as Residence
  const residence = (wish: Residence) => {
    wished = wish
  }
  const status = await run(argv, { signal: interruption.signal, keep, residence })
  if (resident === 'missing' && wished !== 'off') (await import('./resident/start.ts')).startResident(wished)
  process.stdout.write('', error => (error ? endUnread(error) : process.exit(status)))
}

/** A reader that closes the pipe early, such as `head`, is not a failure; a result that could not be kept, as on a full disk, is one. */
function endUnread(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') return process.exit(0)
  print(process.stderr, `The result could not be written to standard output: ${error.code ?? error.message}`)
  return process.exit(1)
}

export interface Around {
  readonly signal: AbortSignal
  readonly keep?: Keep | undefined
  /** Hears what the configuration says, once a call of lint was done by it. */
  readonly residence?: ((wish: Residence) => void) | undefined
  readonly sessions?: KeptSessions | undefined
}

/** Runs one command line and answers its exit status. */
export async function run(argv: readonly string[], around: Around): Promise<number> {
  let status = 0
  const program = buildProgram(async (spec, context, globals) => {
    status = await execute(spec, context, globals, around)
  }, mayBeMeant(argv))
  try {
    await program.parseAsync([...argv])
    return status
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    // The parser has told a person already; a program reads its document.
    if (argv.includes('--json')) print(process.stdout, failureDocument(null, refusalOf(error)))
    return 2
  }
}

type Parsed = Pick<Context, 'arguments' | 'options'>

async function execute(spec: CommandSpec, parsed: Parsed, globals: Globals, around: Around): Promise<number> {
  const { signal, keep, residence, sessions } = around
  let outcome: Outcome
  let close: (() => Promise<void>) | undefined
  try {
    const { openFoundation } = await import('../foundation.ts')
    const foundation = await openFoundation({
      flags: globals,
      configuration: spec.needs === 'none' ? 'defaults' : 'load',
      command: spec.name,
      cwd: process.cwd(),
      variables: process.env,
      signal,
      version: version(),
      sessions,
    })
    close = () => foundation.close()
    outcome = await spec.run({ ...parsed, foundation, confirm: question => ask(question, globals) })
    await close()
    if (spec.name === 'lint') residence?.(foundation.config.lint.resident)
  } catch (thrown) {
    await close?.().catch(() => undefined)
    const error =
      thrown instanceof RangeError ? new PlinthError('USAGE', thrown.message) : withRelativePlace(asPlinthError(thrown))
    if (globals.json) print(process.stdout, failureDocument(spec.name, error))
    else print(process.stderr, failure(error, globals.verbose ? 'verbose' : 'plain'))
    return error.exitStatus
  }
  const exit = outcome.exit ?? 0
  const printed = globals.json ? documentOf(spec, outcome, exit) : globals.quiet ? '' : outcome.text
  if (printed) print(process.stdout, printed)
  if (outcome.lasts) keep?.(printed && whole(printed), exit)
  return exit
}

function failureDocument(command: string | null, error: PlinthError): string {
  const told = { schemaVersion: 1, command, ok: false, data: null, error: failureData(error), warnings: [] }
  return JSON.stringify(told, null, 2)
}

/** `error: unknown option '--alow'`, then perhaps what was meant. */
function refusalOf({ message }: CommanderError): PlinthError {
  const [said = '', meant = ''] = message.replace(/^error: /, '').split('\n')
  return new PlinthError('USAGE', `${said}.`, { hint: meant.replace(/^\((.*)\)$/, '$1') || 'plinth --help' })
}

function documentOf({ name }: CommandSpec, { data, warnings = [] }: Outcome, exit: number): string {
  return JSON.stringify({ schemaVersion: 1, command: name, ok: exit === 0, data, error: null, warnings }, null, 2)
}

function print(stream: NodeJS.WriteStream, text: string): void {
  stream.write(whole(text))
}

function whole(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

async function ask(question: Confirmation, { yes }: Globals): Promise<void> {
  if (yes) return
  const { confirm } = await import('./confirm.ts')
  return confirm(question)
}

/** Paths are shown as the caller would type them. */
function withRelativePlace(error: PlinthError): PlinthError {
  if (!error.at?.file) return error
  const near = relative(process.cwd(), error.at.file)
  const file = near.startsWith('../../..') ? error.at.file : near
  return new PlinthError(error.code, error.message, {
    at: { ...error.at, file },
    hint: error.hint,
    sqlState: error.sqlState,
    details: error.details,
    cause: error.cause ?? error,
  })
}

/** Those whose first word was written somewhere, or all: to describe a command to the parser takes longer than to run a small one. */
function mayBeMeant(argv: readonly string[]): readonly CommandSpec[] {
  const written = new Set(argv.slice(2))
  const named = commands.filter(spec => written.has(spec.name.split(' ')[0] ?? ''))
  return named.length > 0 && !written.has('help') ? named : commands
}

/** The tree of commands, all of them for documentation and completion. */
export function buildProgram(
  action: (spec: CommandSpec, parsed: Parsed, globals: Globals) => Promise<void>,
  chosen: readonly CommandSpec[] = commands,
): Command {
  const program = new Command('plinth')
    .description(
      'The data foundation of a multi-tenant platform: versions, checks, applies, rolls back, seeds, rolls up and documents its schemas.',
    )
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .configureHelp({ sortSubcommands: false })
    .exitOverride()
  for (const option of globalOptions) program.addOption(optionOf(option))
  for (const spec of chosen) addCommand(program, spec, action)
  program.addHelpText(
    'after',
    `\nExit status: 0 ok, 1 failure, 2 usage or configuration, 3 differences found, 4 lint errors, 5 refused by a guard,\n6 lock or timeout (safe to retry), 7 database unreachable, 130 interrupted after a clean rollback.`,
  )
  return program
}

function optionOf({ flags, description, choices }: OptionSpec): Option {
  const option = new Option(flags, description)
  return choices ? option.choices([...choices]) : option
}

function addCommand(
  program: Command,
  spec: CommandSpec,
  action: (spec: CommandSpec, parsed: Parsed, globals: Globals) => Promise<void>,
): void {
  const words = spec.name.split(' ')
  const parent = words.slice(0, -1).reduce((at, _, depth) => groupCommand(at, words.slice(0, depth + 1)), program)
  const command = parent
    .command(words[words.length - 1] ?? spec.name)
    .summary(spec.summary)
    .description(spec.description ?? spec.summary)
    .exitOverride()
  for (const { name, description } of spec.arguments ?? []) command.argument(name, description)
  for (const option of spec.options ?? []) command.addOption(optionOf(option))
  command.addHelpText(
    'after',
    `\nExamples:\n${spec.examples.map(example => `  $ ${example}`).join('\n')}\n\nOptions common to all commands: plinth --help`,
  )
  command.action(async (...given: unknown[]) => {
    const self = given[given.length - 1] as Command
    const options = spoken(self.optsWithGlobals())
    await action(spec, { arguments: self.args, options }, options)
  })
}

/** Several words of one option are one text. */
function spoken(given: Readonly<Record<string, string | boolean | readonly string[] | undefined>>) {
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, typeof value === 'object' ? value.join(' ') : value]),
  )
}

/** The command that others stand behind, by its words from the first one. */
function groupCommand(parent: Command, words: readonly string[]): Command {
  const name = words.at(-1) ?? ''
  const existing = parent.commands.find(command => command.name() === name)
  if (existing) return existing
  const members = commands.filter(spec => spec.name.startsWith(`${words.join(' ')} `)).map(spec => spec.summary)
  return parent.command(name).description(members.join('; ')).exitOverride()
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

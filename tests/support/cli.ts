/** Runs the compiled command line as a user does: another process, its own folder, standard output and exit status. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { removeEmbedded } from '../../src/engines/postgres/embedded.ts'

const repository = join(import.meta.dirname, '../..')
const ownProgram = join(repository, 'bin/plinth.js')

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** The JSON document, when `--json` was given. */
  readonly json: JsonDocument
}

export interface JsonDocument {
  readonly ok: boolean
  // biome-ignore lint/suspicious/noExplicitAny: what a command answers is looked at with matchers.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint: string | null
    readonly location: { readonly file: string | null; readonly line: number | null } | null
  } | null
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** `piped` lets the story write to it; by default there is none. */
  readonly input?: 'none' | 'piped'
  /** Another copy of the program. */
  readonly program?: string
}

/** Waits for the command's end. */
export async function plinth(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return startPlinth(args, options).ended
}

/** Starts the command without waiting, so that a story can kill it or run another beside it. */
export function startPlinth(
  args: readonly string[],
  { cwd = tmpdir(), env = {}, input = 'none', program = ownProgram }: RunOptions = {},
): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
  const variables = Object.entries(process.env).filter(
    ([name]) => !/^(DATABASE_URL|WAREHOUSE_URL|PLINTH_|OTEL_|CI$|NO_COLOR|FORCE_COLOR)/.test(name),
  )
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: { ...Object.fromEntries(variables), NO_COLOR: '1', PLINTH_RESIDENT: 'off', ...env },
    stdio: [input === 'piped' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ran>(resolve => {
    child.on('close', status => {
      resolve({
        status,
        stdout,
        stderr,
        get json(): JsonDocument {
          return JSON.parse(stdout) as JsonDocument
        },
      })
    })
  })
  return { child, ended }
}

/**
 * A temporary folder that is removed when the test ends, with the files given by relative path. A server that a command started for a project
 * in it, or one folder below, goes with it.
 */
export function temporaryFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-story-'))
  onTestFinished(async () => {
    for (const state of serverFolders(folder)) await removeEmbedded({ folder: state })
    rmSync(folder, { recursive: true, force: true })
  }, serverGoesMs)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

/** Waiting for a server's end may take longer than a hook is given by default. */
const serverGoesMs = 60_000

function serverFolders(folder: string): string[] {
  const below = (parent: string) =>
    existsSync(parent)
      ? readdirSync(parent, { withFileTypes: true }).flatMap(one => (one.isDirectory() ? [join(parent, one.name)] : []))
      : []
  const states = below(folder).flatMap(one => [one, ...below(one)])
  return states.map(state => join(state, 'postgres')).filter(state => existsSync(state))
}

/** A copy of the platform's own project (migrations, seeds, transforms, configuration) that a story may edit. */
export function platformProject(): string {
  const folder = temporaryFolder()
  for (const part of ['db', 'analytics', 'configs'])
    cpSync(join(repository, part), join(folder, part), { recursive: true })
  symlinkSync(join(repository, 'package.json'), join(folder, 'package.json'))
  return folder
}

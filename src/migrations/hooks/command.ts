/** A hook that is a program: it reads the fact as JSON from its standard input, and says no by its exit status. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlinthError } from '../../errors.ts'
import type { HookFact } from './fact.ts'

export interface CommandOptions {
  readonly folder: string
  readonly variables: Readonly<Record<string, string>>
  readonly fact: HookFact
  readonly signal: AbortSignal
}

/**
 * Ends well when the program exits with 0. What it prints is not ours to show, but for the last line of its standard error, which says why it
 * failed. When the signal comes, its whole process group is told to stop.
 */
export async function runCommand(
  command: string | readonly string[],
  { folder, variables, fact, signal }: CommandOptions,
): Promise<void> {
  const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  const child = spawn(program, args, {
    cwd: folder,
    env: variables,
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  })
  const stop = () => {
    end(child.pid, 'SIGTERM')
    setTimeout(() => end(child.pid, 'SIGKILL'), 2000).unref()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  let tail = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000)
  })
  // A program that does not read what it is told may close its input early.
  child.stdin.on('error', () => undefined)
  child.stdin.end(`${JSON.stringify(fact)}\n`)
  try {
    const { status, by } = await new Promise<{ status: number | null; by: string | null }>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (status, by) => resolve({ status, by }))
    })
    // Its last words may still be on their way; a child that it left behind is not waited for.
    if (status !== 0) await Promise.race([once(child.stderr, 'close'), sleep(200)])
    if (status !== 0) throw new Error(`${by ? `ended by ${by}` : `exit status ${status}`}${lastLine(tail)}`)
  } finally {
    signal.removeEventListener('abort', stop)
    child.stderr.destroy()
  }
}

/** Throws HOOK_INVALID when the program of a list is not there. The shell looks for itself. */
export function findProgram(
  command: string | readonly string[],
  { folder, path = '', place }: { readonly folder: string; readonly path?: string | undefined; readonly place: string },
): void {
  if (typeof command === 'string') return
  const [program = ''] = command
  const places = program.includes('/')
    ? [isAbsolute(program) ? program : join(folder, program)]
    : path.split(delimiter).map(one => join(one, program))
  if (places.some(isExecutable)) return
  throw new PlinthError('HOOK_INVALID', `The program "${program}" of ${place} is not there, or may not be run.`, {
    at: { object: place },
    hint: 'Correct its name, or give the file the right to be run (chmod +x).',
  })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Passwords in URLs are blanked, since programs like to print what they connect to. */
function lastLine(text: string): string {
  const line = text.trimEnd().split(/\r?\n/).at(-1)?.trim().slice(0, 300)
  return line ? `, ${line.replace(/(:\/\/[^:@/\s]*):[^@\s]*@/g, '$1:***@')}` : ''
}

function end(processId: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (processId === undefined) return
  try {
    process.kill(-processId, signal)
  } catch {
    // It has ended already.
  }
}

/** Applies in another process, so that it can be killed. Runs the compiled code, as `npm test` builds it first. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { PreserveRequest } from '../../src/migrations/preserve/options.ts'
import type { Report } from '../../src/migrations/run.ts'
import type { Target } from '../../src/migrations/select.ts'
import type { FactType } from '../../src/telemetry/event.ts'

const repository = join(import.meta.dirname, '../..')

export interface ChildOptions {
  readonly url: string
  readonly folder: string
  readonly direction?: 'up' | 'down'
  readonly target?: Target
  readonly preserve?: PreserveRequest
  /** Kills itself when the nth fact of that type is told. */
  readonly killAt?: { readonly type: FactType; readonly count: number }
}

export interface Child {
  readonly process: ChildProcess
  readonly ready: Promise<void>
  /** The report, or null when it was killed. */
  readonly ended: Promise<Report | null>
}

/** For a suite's `beforeAll`: a tree that was never built is built. */
export function ensureBuilt(): void {
  if (existsSync(join(repository, 'dist/migrations/track.js'))) return
  spawnSync(process.execPath, ['scripts/build/build.js'], { cwd: repository, stdio: 'inherit' })
}

export function applyInChild(options: ChildOptions): Child {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'apply-child.js'), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const ready = new Promise<void>(resolve => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      resolve()
    })
  })
  const ended = new Promise<Report | null>(resolve => {
    child.on('close', () => resolve(reportIn(output)))
  })
  return { process: child, ready, ended }
}

function reportIn(output: string): Report | null {
  const line = output.split('\n').find(text => text.startsWith('{'))
  return line === undefined ? null : (JSON.parse(line) as Report)
}

/** Starts an embedded server from another process. Runs the compiled code, as `npm test` builds it first. */
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { EmbeddedServer } from '../../src/engines/postgres/embedded.ts'

export const repository = join(import.meta.dirname, '../..')

export interface ChildStart {
  readonly folder: string
  readonly durable?: boolean
  /** Kills itself so many milliseconds after that fact. */
  readonly dieWhile?: 'server.starting'
  readonly dieAfterMs?: number
}

export type ChildAnswer = EmbeddedServer & { readonly code?: string; readonly message?: string }

/** For a suite's `beforeAll`: a tree that was never built is built. */
export function ensureBuilt(): void {
  if (existsSync(join(repository, 'dist/engines/postgres/embedded.js'))) return
  spawnSync(process.execPath, ['scripts/build/build.js'], { cwd: repository, stdio: 'inherit' })
}

/** What the child answered; null when it was killed. `from` is the tree whose `dist` it runs. */
export async function startInChild(
  start: ChildStart,
  options: SpawnOptions = {},
  from = repository,
): Promise<ChildAnswer | null> {
  const module = pathToFileURL(join(from, 'dist/engines/postgres/embedded.js')).href
  const script = join(from, 'tests/engines/embedded-child.js')
  const child = spawn(process.execPath, [script, module, JSON.stringify(start)], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await new Promise(resolve => {
    child.once('close', resolve)
  })
  return output === '' ? null : (JSON.parse(output) as ChildAnswer)
}

/** Starts a resident beside a call that had to do its work itself, so that the next one need not. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lookAt, startVariables, stateFolderNear } from './place.ts'

/** `auto`: only beside an embedded server, which stays as well. It holds neither a stream nor the folder nor the environment of whoever starts it. Where another one is there by then, it ends at once. */
export function startResident(wish: 'auto' | 'on'): void {
  const state = stateFolderNear()
  const entry = fileURLToPath(new URL('resident.cjs', import.meta.url))
  if (state === null || !existsSync(entry) || lookAt(state) === 'strange') return
  if (wish === 'auto' && !existsSync(join(state, 'postgres/data/postmaster.pid'))) return
  const env = startVariables(process.env)
  spawn(process.execPath, [entry, resolve(state)], { cwd: '/', detached: true, stdio: 'ignore', env })
    .on('error', () => undefined)
    .unref()
}

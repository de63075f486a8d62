/** One real PostgreSQL for the whole run: the server named by PLINTH_TEST_SERVER, else an embedded one that leaves nothing behind. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    serverUrl: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['PLINTH_TEST_SERVER']
  if (given) {
    project.provide('serverUrl', given)
    return async () => {}
  }
  const { removeEmbedded, startEmbedded } = await import('../../src/engines/postgres/embedded.ts')
  const folder = mkdtempSync(join(tmpdir(), 'plinth-tests-'))
  const server = await startEmbedded({ folder, durable: false })
  project.provide('serverUrl', server.url)
  return () => removeEmbedded({ folder })
}

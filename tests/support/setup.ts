/** One real PostgreSQL for the whole run: the server named by PLINTH_TEST_SERVER, else an embedded one that leaves nothing behind. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { withClient } from './client.ts'

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
  try {
    const server = await startEmbedded({ folder, durable: false })
    // Roles that tests make have no passwords, so this server, which lives as long as the tests, asks for none.
    writeFileSync(join(server.dataFolder, 'pg_hba.conf'), 'host all all 127.0.0.1/32 trust\n')
    await withClient(server.url, client => client.query('select pg_reload_conf()'))
    project.provide('serverUrl', server.url)
  } catch (error) {
    await removeEmbedded({ folder })
    throw error
  }
  return () => removeEmbedded({ folder })
}

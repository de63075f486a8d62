/** Databases that were migrated by somebody else. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { engineOf } from '../../src/engines/registry.ts'
import { adopt, type AdoptOptions } from '../../src/migrations/adopt/index.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { readStatus } from '../../src/migrations/status.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { openSession, someone, temporaryFolder } from './support.ts'

export type Tree = Readonly<Record<string, string>>

/** A database on which `sql` ran, and the folder that somebody says it came from. `parameters` are added to the URL. */
export async function legacy(files: Tree, sql: string, parameters = '') {
  const folder = await temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  const { url: plain } = await emptyDatabase()
  const maker = await openSession(plain)
  await maker.script(sql)
  const url = `${plain}${parameters}`
  const session = parameters === '' ? maker : await openSession(url)
  const scratch = { engine: await engineOf(url), url }
  return {
    folder,
    session,
    adopt: (options: Partial<AdoptOptions> = {}) => adopt(session, { ...someone, folder, scratch, ...options }),
    apply: () => applyTrack(session, { ...someone, folder }),
    rollback: (steps: number) =>
      rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: steps } }),
    drift: () => findDrift(session, { ...someone, folder, scratch }),
    hasLedger: async () => (await session.query("select 1 from pg_namespace where nspname = 'plinth'")).rowCount > 0,
    states: async () => {
      const { versions } = await readStatus(session, { ...someone, folder })
      return versions.map(({ version, state }) => `${version} ${state}`)
    },
  }
}

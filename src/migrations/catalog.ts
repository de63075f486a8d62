/** The catalog that a folder of migrations makes, read from a scratch database: what the contract is written from. */
import { randomBytes } from 'node:crypto'
import { withSession } from '../engines/brackets.ts'
import type { Schema } from '../schema/model.ts'
import type { MigrationFolder } from './migration.ts'
import { applyOnScratch, type ScratchServer } from './apply-on-scratch.ts'
import { loadMigrations } from './load.ts'
import { withoutTheirs } from './ours.ts'
import { layPrelude } from './prelude.ts'
import { dropRoles, forScratch } from './server-wide/index.ts'

/** The scratch database is made beside that of the URL, and dropped afterwards. */
export interface CatalogOptions extends ScratchServer {
  readonly track: string
  readonly folder: string | MigrationFolder
  readonly actor: string
  readonly signal?: AbortSignal | undefined
}

/** What the prelude makes is left out. Throws PRELUDE_FAILED and what applying throws. */
export async function catalogOf({ engine, url, missingRoles, prelude = [], ...run }: CatalogOptions): Promise<Schema> {
  let roles: readonly string[] = []
  const scratch = await engine.createScratch(url, `plinth_catalog_${randomBytes(6).toString('hex')}`)
  try {
    return await withSession(engine, scratch.url, { applicationName: 'plinth catalog' }, async session => {
      const theirs = await layPrelude(session, prelude, missingRoles)
      // What lives for a moment loses nothing.
      const given =
        typeof run.folder === 'string' ? await loadMigrations(run.folder, { dialect: engine.name }) : run.folder
      const { folder, roles: missing } = await forScratch(session, given)
      roles = missing
      const all = { ...run, folder, command: 'catalog', preserve: 'off' as const }
      const { error } = await applyOnScratch(session, all, missingRoles)
      if (error) throw error
      const made = await session.introspect()
      return theirs ? withoutTheirs(made, theirs) : made
    })
  } finally {
    await scratch.drop()
    await dropRoles(engine, url, roles)
  }
}

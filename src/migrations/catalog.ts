/** The catalog that a folder of migrations makes, read from a scratch database: what the contract is written from. */
import { randomBytes } from 'node:crypto'
import { withSession } from '../engines/brackets.ts'
import type { Engine } from '../engines/engine.ts'
import type { Schema } from '../schema/model.ts'
import type { MigrationFolder } from './migration.ts'
import { applyOnScratch } from './apply-on-scratch.ts'
import type { MissingRoles } from './rehearse/surroundings.ts'

export interface CatalogOptions {
  readonly engine: Engine
  /** The scratch database is made beside this one, and dropped afterwards. */
  readonly url: string
  readonly track: string
  readonly folder: string | MigrationFolder
  readonly actor: string
  readonly signal?: AbortSignal | undefined
  readonly missingRoles?: MissingRoles | undefined
}

/** Throws what applying throws. */
export async function catalogOf({ engine, url, missingRoles, ...run }: CatalogOptions): Promise<Schema> {
  const scratch = await engine.createScratch(url, `plinth_catalog_${randomBytes(6).toString('hex')}`)
  try {
    return await withSession(engine, scratch.url, { applicationName: 'plinth catalog' }, async session => {
      // What lives for a moment loses nothing.
      const { error } = await applyOnScratch(session, { ...run, command: 'catalog', preserve: 'off' }, missingRoles)
      if (error) throw error
      return session.introspect()
    })
  } finally {
    await scratch.drop()
  }
}

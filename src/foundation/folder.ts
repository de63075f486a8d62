/** The migrations of a track as its configuration means them: for its engine, and with the values of its placeholders. */
import { type Config, expand, type Track } from '../config/load.ts'
import type { LoadOptions } from '../migrations/load.ts'
import type { MigrationFolder } from '../migrations/migration.ts'

/** Throws what `loadMigrations` throws, and CONFIG_INVALID for a value that needs a variable that is not set. */
export async function folderOf(
  config: Config,
  track: Track,
  options: Pick<LoadOptions, 'checksums'> = {},
): Promise<MigrationFolder> {
  const { loadMigrations } = await import('../migrations/load.ts')
  return loadMigrations(track.migrations, {
    ...options,
    dialect: await dialectOf(config, track),
    ...valuesOf(config, track),
  })
}

/** A warehouse is what its URL says: one line of an environment moves it to another engine. */
async function dialectOf({ variables }: Config, { name, engine, database }: Track): Promise<string> {
  if (engine === 'postgres' || database === null) return engine
  try {
    const { engineOf } = await import('../engines/registry.ts')
    return (await engineOf(expand(database, variables, `tracks.${name}.database`))).name
  } catch {
    // Where no database is named yet, the files for the usual one are looked at.
    return engine
  }
}

/** As options to load with. */
export function valuesOf(config: Config, { name, placeholders = {} }: Track): Pick<LoadOptions, 'placeholders'> {
  const values = Object.entries(placeholders).map(
    ([key, value]) => [key, expand(value, config.variables, `tracks.${name}.placeholders.${key}`)] as const,
  )
  return { placeholders: Object.fromEntries(values) }
}

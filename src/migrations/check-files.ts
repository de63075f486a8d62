/** The `.checks.sql` files of a folder. */
import { join } from 'node:path'
import { PlinthError } from '../errors.ts'
import type { Listing } from './layouts/layout.ts'
import { isRepeatable, type MigrationFile, versionKey } from './migration.ts'

/** By the key of their version. Throws CHECKS_WITHOUT_MIGRATION, VERSION_DUPLICATE, FILE_UNREADABLE. */
export async function checksIn(
  listing: Listing,
  versions: ReadonlySet<string>,
): Promise<ReadonlyMap<string, MigrationFile>> {
  const { folder, files } = listing
  const found = new Map<string, MigrationFile>()
  for (const name of files) {
    const version = /^(?:(\d+)_.*|(R__.+))\.checks\.sql$/.exec(name)?.slice(1).find(Boolean)
    if (version === undefined) continue
    const key = versionKey(version)
    if (!versions.has(key)) {
      throw new PlinthError('CHECKS_WITHOUT_MIGRATION', `${name} has no migration of the same version.`, {
        at: { file: join(folder, name) },
        hint: `Write ${name.replace(/\.checks\.sql$/, isRepeatable(version) ? '.sql' : '.up.sql')} beside it, or remove it.`,
      })
    }
    const other = found.get(key)
    if (other) {
      throw new PlinthError('VERSION_DUPLICATE', `${other.file} and ${name} have the same version.`, {
        at: { file: join(folder, name) },
        hint: 'A migration has one file of checks; put them together.',
      })
    }
    found.set(key, await listing.read(name))
  }
  return found
}

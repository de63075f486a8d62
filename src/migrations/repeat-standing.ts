/** The repeatables that stand on a database, as they ran there: a scratch database has to have those, and not what the folder says by now. */
import type { Session } from '../engines/engine.ts'
import { hasChanged } from './checksum.ts'
import { readStoredSql } from './history.ts'
import { compareVersions, type Migration, type MigrationFolder, type VersionHistory } from './migration.ts'

/** In the order of their names. One whose file is gone is forgotten: what it made is there until somebody drops it. */
export async function standingRepeatables(
  session: Session,
  folder: MigrationFolder,
  repeatables: readonly VersionHistory[],
): Promise<Migration[]> {
  const known = new Map(repeatables.map(one => [one.version, one.applied]))
  const standing = await Promise.all(
    (folder.repeatables ?? []).map(async (migration): Promise<Migration | null> => {
      const attempt = known.get(migration.version) ?? null
      if (!attempt?.upChecksum) return null
      if (!hasChanged(migration.up, attempt.upChecksum)) return migration
      const text = await readStoredSql(session, attempt.id, 'up')
      if (text === null) return null
      const file = `${migration.version} (kept in the history)`
      return { ...migration, checks: null, up: { file, text, checksum: attempt.upChecksum } }
    }),
  )
  return standing.filter(one => one !== null).sort((a, b) => compareVersions(a.version, b.version))
}

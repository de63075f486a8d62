/** yoyo keeps a row a migration, told by the name of its file; what the file said then it does not keep. */
import { readOrdered } from '../layouts/plain.ts'
import { type ForeignTool, unchecked } from './tool.ts'

export const yoyo: ForeignTool = {
  name: 'yoyo',
  layout: 'plain',
  table: '_yoyo_migration',
  columns: ['migration_hash', 'migration_id', 'applied_at_utc'],
  beside: ['_yoyo_log', '_yoyo_version', 'yoyo_lock', '_yoyo_migration_lock'],
  async read(session, table) {
    const { rows } = await session.query<{ name: string; at: string | null }>(
      `select migration_id as name, applied_at_utc at time zone 'UTC' as at from ${table} order by applied_at_utc`,
    )
    const named = rows.map(row => ({ ...row, version: readOrdered(row.name)?.version ?? null }))
    return {
      applied: named.flatMap(({ version, at }) =>
        version === null ? [] : [{ version, at, by: null, unchanged: unchecked }],
      ),
      upTo: null,
      doubt: null,
      notices: named
        .filter(({ version }) => version === null)
        .map(({ name }) => `${name} has no version in its name, so it is not taken over.`),
    }
  },
}

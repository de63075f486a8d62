/** sql-migrate keeps the names of the files that are applied. */
import { type ForeignTool, leadingVersion, unchecked } from './tool.ts'

export const sqlMigrate: ForeignTool = {
  name: 'sql-migrate',
  layout: 'sql-migrate',
  table: 'gorp_migrations',
  columns: ['id', 'applied_at'],
  async read(session, table) {
    const { rows } = await session.query<{ id: string; at: string | null }>(
      `select id, applied_at::timestamptz as at from ${table} order by id`,
    )
    return {
      applied: rows.flatMap(({ id, at }) => {
        const version = leadingVersion(id)
        return version === null ? [] : [{ version, at, by: null, unchanged: unchecked }]
      }),
      upTo: null,
      doubt: null,
      notices: rows
        .filter(({ id }) => leadingVersion(id) === null)
        .map(({ id }) => `${id} has no version in its name, so it is not taken over.`),
    }
  },
}

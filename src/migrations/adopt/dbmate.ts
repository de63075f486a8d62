/** dbmate keeps the versions that are applied, and no more. */
import { type ForeignTool, unchecked } from './tool.ts'

export const dbmate: ForeignTool = {
  name: 'dbmate',
  layout: 'dbmate',
  table: 'schema_migrations',
  columns: ['version'],
  without: ['dirty', 'statements'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string }>(`select version from ${table} order by version`)
    return {
      applied: rows.map(({ version }) => ({ version, at: null, by: null, unchanged: unchecked })),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

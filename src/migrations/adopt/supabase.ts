/** Supabase keeps the versions that are applied and the statements of their files, which it cuts and trims in its own way. */
import { type ForeignTool, unchecked } from './tool.ts'

export const supabase: ForeignTool = {
  name: 'supabase',
  layout: 'plain',
  table: 'schema_migrations',
  columns: ['version', 'statements', 'name'],
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

/** Diesel keeps the versions that are applied; the dashes of a folder's name are no part of them. */
import { type ForeignTool, unchecked } from './tool.ts'

export const diesel: ForeignTool = {
  name: 'diesel',
  layout: 'folders',
  table: '__diesel_schema_migrations',
  columns: ['version', 'run_on'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string; at: string }>(
      `select version, run_on::timestamptz as at from ${table} order by version`,
    )
    return {
      applied: rows.map(({ version, at }) => ({
        version: version.replaceAll('-', ''),
        at,
        by: null,
        unchanged: unchecked,
      })),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

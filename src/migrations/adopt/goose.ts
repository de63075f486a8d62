/** goose keeps a row for each run of a file; of a version that was taken back the row is gone, or a later one says that it is not applied. */
import { type ForeignTool, unchecked } from './tool.ts'

export const goose: ForeignTool = {
  name: 'goose',
  layout: 'goose',
  table: 'goose_db_version',
  columns: ['version_id', 'is_applied', 'tstamp'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string; is_applied: boolean; at: string | null }>(
      `select distinct on (version_id) version_id::text as version, is_applied, tstamp::timestamptz as at
      from ${table}
      where version_id > 0
      order by version_id, id desc`,
    )
    const applied = rows.filter(row => row.is_applied)
    return {
      applied: applied.map(({ version, at }) => ({ version, at, by: null, unchanged: unchecked })),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

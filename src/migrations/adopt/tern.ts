/** tern keeps one number: every file up to it is applied. */
import type { ForeignTool } from './tool.ts'

export const tern: ForeignTool = {
  name: 'tern',
  layout: 'plain',
  table: 'schema_version',
  columns: ['version'],
  without: ['id', 'dirty', 'script', 'installed_rank', 'applied_at', 'md5'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string }>(`select version::text as version from ${table} limit 1`)
    const version = rows[0]?.version ?? '0'
    return { applied: [], upTo: version === '0' ? null : version, doubt: null, notices: [] }
  },
}

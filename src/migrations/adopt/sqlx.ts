/** sqlx keeps a row a version, with the SHA-384 of its file; one that did not end well says so. */
import { createHash } from 'node:crypto'
import type { MigrationFile } from '../migration.ts'
import type { ForeignTool } from './tool.ts'

export const sqlx: ForeignTool = {
  name: 'sqlx',
  layout: 'plain',
  table: '_sqlx_migrations',
  columns: ['version', 'installed_on', 'success', 'checksum'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string; at: string; success: boolean; checksum: string }>(
      `select version::text as version, installed_on as at, success, encode(checksum, 'hex') as checksum
      from ${table}
      order by version`,
    )
    const failed = rows.findLast(({ success }) => !success)
    const meaning = `${failed?.version} was begun and is not marked as a success.`
    return {
      applied: rows
        .filter(({ success }) => success)
        .map(({ version, at, checksum }) => ({
          version,
          at,
          by: null,
          unchanged: ({ text }: MigrationFile) => createHash('sha384').update(text).digest('hex') === checksum,
        })),
      upTo: null,
      doubt: failed ? { version: failed.version, kind: 'failed up', meaning } : null,
      notices: [],
    }
  },
}

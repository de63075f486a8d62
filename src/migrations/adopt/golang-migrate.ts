/**
 * golang-migrate keeps one row: the version, and whether it is dirty. It writes the version as dirty before it runs a file and cleans it
 * afterwards, so a dirty row says that a file was begun and never more: after a failed up the version is that file's, after a failed down it is
 * the one below. PostgreSQL has usually rolled the file back, which the row does not know.
 */
import type { ForeignTool } from './tool.ts'

export const golangMigrate: ForeignTool = {
  name: 'golang-migrate',
  layout: 'pairs',
  table: 'schema_migrations',
  columns: ['version', 'dirty'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string; dirty: boolean }>(
      `select version::text as version, dirty from ${table}`,
    )
    const [row] = rows
    const none = { applied: [], upTo: null, doubt: null, notices: [] }
    if (!row) return none
    // It writes -1 when the first file was being taken back.
    const version = row.version === '-1' ? '0' : row.version
    if (!row.dirty) return { ...none, upTo: version }
    const meaning = `The row is dirty at ${row.version}: an up of ${row.version}, or a down of the version behind it, was begun and did not end well.`
    return { ...none, upTo: version, doubt: { version, kind: 'unknown direction', meaning } }
  },
}

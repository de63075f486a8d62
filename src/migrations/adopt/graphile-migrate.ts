/** graphile-migrate keeps the hash of each committed file, which the file names as well. */
import { type ForeignTool, leadingVersion } from './tool.ts'

export const graphileMigrate: ForeignTool = {
  name: 'graphile-migrate',
  layout: 'graphile-migrate',
  table: 'migrations',
  columns: ['hash', 'previous_hash', 'filename'],
  async read(session, table) {
    const { rows } = await session.query<{ hash: string; filename: string; at: string | null }>(
      `select hash, filename, date as at from ${table} order by filename`,
    )
    return {
      applied: rows.flatMap(({ hash, filename, at }) => {
        const version = leadingVersion(filename)
        if (version === null) return []
        return [{ version, at, by: null, unchanged: ({ text }) => /^--! Hash: *(\S+)/m.exec(text)?.[1] === hash }]
      }),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

/** Prisma keeps a row a try: one without an end stopped somewhere, unless somebody marked it as rolled back. Its checksum is the SHA-256 of the file. */
import { type Doubt, type ForeignRow, type ForeignTool, leadingVersion } from './tool.ts'

export const prisma: ForeignTool = {
  name: 'prisma',
  layout: 'prisma',
  table: '_prisma_migrations',
  columns: ['migration_name', 'checksum', 'finished_at', 'rolled_back_at'],
  async read(session, table) {
    const { rows } = await session.query<Row>(
      `select distinct on (migration_name) migration_name, checksum, finished_at, rolled_back_at
      from ${table}
      order by migration_name, started_at desc`,
    )
    const applied: ForeignRow[] = []
    let doubt: Doubt | null = null
    for (const row of rows) {
      const version = leadingVersion(row.migration_name)
      if (version === null || row.rolled_back_at !== null) continue
      if (row.finished_at === null) doubt = failed(version, row.migration_name)
      else
        applied.push({
          version,
          name: row.migration_name,
          at: row.finished_at,
          by: null,
          unchanged: file => file.checksum === row.checksum,
        })
    }
    return { applied, upTo: null, doubt, notices: [] }
  },
}

interface Row {
  readonly migration_name: string
  readonly checksum: string
  readonly finished_at: string | null
  readonly rolled_back_at: string | null
}

function failed(version: string, name: string): Doubt {
  return { version, name, kind: 'failed up', meaning: `${name} was begun and has no end in the history.` }
}

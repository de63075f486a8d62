/** node-pg-migrate keeps the names of the files that are applied. */
import { type ForeignTool, leadingVersion, unchecked } from './tool.ts'

export const nodePgMigrate: ForeignTool = {
  name: 'node-pg-migrate',
  layout: 'node-pg-migrate',
  table: 'pgmigrations',
  columns: ['name', 'run_on'],
  async read(session, table) {
    const { rows } = await session.query<{ name: string; at: string | null }>(
      `select name, run_on::timestamptz as at from ${table} order by run_on, id`,
    )
    const unnumbered = rows.filter(({ name }) => leadingVersion(name) === null)
    return {
      applied: rows.flatMap(({ name, at }) => {
        const version = leadingVersion(name)
        return version === null ? [] : [{ version, name, at, by: null, unchanged: unchecked }]
      }),
      upTo: null,
      doubt: null,
      notices: unnumbered.map(({ name }) => `${name} has no version in its name, so it is not taken over.`),
    }
  },
}

/** Drizzle keeps the time of the journal's entry and the SHA-256 of its file; newer ones keep the name of the migration as well. */
import type { ForeignTool } from './tool.ts'

export const drizzle: ForeignTool = {
  name: 'drizzle',
  layout: 'drizzle',
  table: '__drizzle_migrations',
  columns: ['hash', 'created_at'],
  ownsSchema: true,
  async read(session, table) {
    const { rows } = await session.query<{ hash: string; when: string; name: string | null; at: string }>(
      `select hash, created_at::text as when, to_jsonb(t) ->> 'name' as name,
        to_timestamp(created_at::numeric / 1000) as at
      from ${table} t
      order by created_at, id`,
    )
    return {
      applied: rows.map(({ hash, when, name, at }) => ({
        version: when,
        name: name ?? when,
        at,
        by: null,
        unchanged: file => file.checksum === hash,
      })),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

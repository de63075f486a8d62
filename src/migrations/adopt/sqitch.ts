/** Sqitch keeps a row a change, told by its name and the time when it was planned, with the SHA-1 of its script. */
import { createHash } from 'node:crypto'
import type { ForeignTool } from './tool.ts'

export const sqitch: ForeignTool = {
  name: 'sqitch',
  layout: 'sqitch',
  table: 'changes',
  columns: ['change_id', 'script_hash', 'change', 'project', 'planned_at', 'committed_at'],
  ownsSchema: true,
  async read(session, table) {
    const { rows } = await session.query<{ name: string; hash: string | null; at: string; by: string }>(
      `select change || ' ' || to_char(planned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as name,
        script_hash as hash, committed_at as at, committer_name as by
      from ${table}
      order by committed_at`,
    )
    return {
      applied: rows.map(({ name, hash, at, by }) => ({
        version: name,
        name,
        at,
        by,
        unchanged: ({ text }) => hash === null || createHash('sha1').update(text).digest('hex') === hash,
      })),
      upTo: null,
      doubt: null,
      notices: [],
    }
  },
}

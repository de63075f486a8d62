/** Play keeps a row an evolution with both scripts, and whether one of them was begun and did not end well. */
import type { MigrationFile } from '../migration.ts'
import type { Doubt, ForeignTool } from './tool.ts'

export const evolutions: ForeignTool = {
  name: 'evolutions',
  layout: 'evolutions',
  table: 'play_evolutions',
  columns: ['id', 'hash', 'applied_at', 'apply_script', 'revert_script', 'state'],
  beside: ['play_evolutions_lock'],
  async read(session, table) {
    const { rows } = await session.query<{ version: string; at: string; script: string | null; state: string }>(
      `select id::text as version, applied_at::timestamptz as at, apply_script as script, state
      from ${table}
      order by id`,
    )
    const begun = rows.find(({ state }) => state !== 'applied')
    return {
      applied: rows
        .filter(({ state }) => state === 'applied')
        .map(({ version, at, script }) => ({
          version,
          at,
          by: null,
          unchanged: ({ text }: MigrationFile) => script === null || bare(text) === bare(script.replaceAll(';;', ';')),
        })),
      upTo: null,
      doubt: begun ? doubtOf(begun) : null,
      notices: [],
    }
  },
}

/** Play trims what is between its marks, and joins the lines again. */
function bare(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function doubtOf({ version, state }: { readonly version: string; readonly state: string }): Doubt {
  return { version, kind: 'failed up', meaning: `Evolution ${version} is marked as ${state}.` }
}

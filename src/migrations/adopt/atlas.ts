/** Atlas keeps a row a version, with how many of its statements were applied; it may have begun at a baseline. */
import { type ForeignTool, unchecked } from './tool.ts'

export const atlas: ForeignTool = {
  name: 'atlas',
  layout: 'plain',
  table: 'atlas_schema_revisions',
  columns: ['version', 'description', 'applied', 'total', 'executed_at'],
  async read(session, table) {
    // What it keeps for its own cloud has a version that begins with a dot.
    const { rows } = await session.query<Row>(
      `select version, executed_at as at, applied >= total as whole, type::int & 1 = 1 as baseline
      from ${table}
      where version ~ '^[0-9]'
      order by version`,
    )
    const baseline = rows.find(row => row.baseline)?.version ?? null
    const half = rows.findLast(row => !row.whole)?.version
    return {
      applied: rows
        .filter(row => row.whole && !row.baseline)
        .map(({ version, at }) => ({ version, at, by: null, unchanged: unchecked })),
      upTo: baseline,
      ...(baseline === null ? {} : { isBaseline: true }),
      doubt:
        half === undefined
          ? null
          : { version: half, kind: 'failed up', meaning: `Not every statement of ${half} is marked as applied.` },
      notices: [],
    }
  },
}

interface Row {
  readonly version: string
  readonly at: string | null
  readonly whole: boolean
  readonly baseline: boolean
}

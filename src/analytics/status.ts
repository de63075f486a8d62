/** Where the warehouse stands: how far it has read, what is pending, what ran last. Takes no lease and changes nothing. */
import { withSession, withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { inspectSource, pendingMarks } from './run/capture.ts'
import { spellingOf } from './run/cells.ts'
import { descendantsOf } from './project/graph.ts'
import {
  columnsOf,
  type LastReconciliation,
  type LastRun,
  lastReconciliation,
  lastRun,
  readCursor,
  type StoredCursor,
} from './ledger.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from './project/project.ts'
import { type RollupOptions, withWarehouse } from './run/desk.ts'
import { uncapturedTransforms } from './run/uncaptured.ts'

export type StatusOptions = Pick<RollupOptions, 'source' | 'warehouse' | 'waitMs' | 'emit'>

export interface RollupStatus {
  readonly sources: readonly SourceStatus[]
  /** Rows of the tables that read no captured source, seeds among them; null where one is not there yet. */
  readonly others: Readonly<Record<string, number | null>>
}

export interface SourceStatus {
  readonly source: string
  readonly loaded: 'yes' | 'no'
  /** The source's snapshot that the warehouse equals, apart from pending cells; null before the first run. */
  readonly snapshot: string | null
  readonly movedAt: string | null
  readonly pendingMarks: number
  readonly pendingCells: number
  /** Start of the oldest hour that waits for a run; null when none does. */
  readonly oldestPendingHour: string | null
  readonly lastRun: LastRun | null
  readonly lastReconciliation: LastReconciliation | null
  /** Rows by qualified table: raw, then each transform's; null where the table is not there yet. */
  readonly rows: Readonly<Record<string, number | null>>
}

export async function rollupStatus(project: Project, options: StatusOptions): Promise<RollupStatus> {
  const full: RollupOptions = { ...options, runId: 'status', owner: 'status' }
  const { stored, others } = await withWarehouse(full, async warehouse => {
    const found: { readonly source: CapturedSource; readonly cursor: StoredCursor | null; readonly rest: Stored }[] = []
    for (const source of capturedSources(project))
      found.push({
        source,
        cursor: await readCursor(warehouse, sourceKey(source)),
        rest: await readStored(warehouse, project, source),
      })
    const { before, after } = uncapturedTransforms(project)
    const made = [...before, ...after].filter(({ materialized }) => materialized !== 'view')
    return { stored: found, others: await rowsOf(warehouse, [...project.seeds, ...made]) }
  })
  if (stored.length === 0) return { sources: [], others }
  return withSession(
    options.source.engine,
    options.source.url,
    { applicationName: 'plinth rollup status' },
    async reader => {
      const sources: SourceStatus[] = []
      for (const { source, cursor, rest } of stored) {
        await inspectSource(reader, source)
        const snapshot = cursor?.snapshot ?? null
        const pending =
          snapshot === null
            ? { marks: 0, hours: [] }
            : await withTransaction(reader, () => pendingMarks(reader, source, snapshot), 'snapshot')
        sources.push({
          source: sourceKey(source),
          loaded: snapshot === null ? 'no' : 'yes',
          snapshot,
          movedAt: snapshot === null ? null : (cursor?.movedAt ?? null),
          pendingMarks: pending.marks,
          pendingCells: pending.hours.reduce((sum, { shards }) => sum + shards.length, 0),
          oldestPendingHour: pending.hours[0]?.hour ?? null,
          ...rest,
        })
      }
      return { sources, others }
    },
  )
}

type Stored = Pick<SourceStatus, 'lastRun' | 'lastReconciliation' | 'rows'>

async function readStored(warehouse: Session, project: Project, source: CapturedSource): Promise<Stored> {
  const tables = [
    { schema: source.schema, table: source.identifier },
    ...descendantsOf(project.transforms, sourceKey(source)).filter(({ materialized }) => materialized !== 'view'),
  ]
  const rows = await rowsOf(warehouse, tables)
  const key = sourceKey(source)
  return { lastRun: await lastRun(warehouse, key), lastReconciliation: await lastReconciliation(warehouse, key), rows }
}

async function rowsOf(
  warehouse: Session,
  tables: readonly { readonly schema: string; readonly table: string }[],
): Promise<Record<string, number | null>> {
  const rows: Record<string, number | null> = {}
  for (const { schema, table } of tables) {
    const present = (await columnsOf(warehouse, schema, table)).length > 0
    const counted = present
      ? await warehouse.query<{ row_count: string }>(
          `select count(*) as row_count from ${spellingOf(warehouse).relation(schema, table)}`,
        )
      : null
    rows[`${schema}.${table}`] = counted === null ? null : Number(counted.rows[0]?.row_count)
  }
  return rows
}

/** Our tables in the warehouse: where it stands, what ran, what was compared. They live and commit with what they tell of. */
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { backfillTables } from './run/backfill-ledger.ts'
import type { Cursor } from './run/capture.ts'
import { spellingOf } from './run/cells.ts'
import { historyTables } from './history-ledger.ts'
import { leaseLost } from './run/lease.ts'
import { sealTables } from './seal/seal-ledger.ts'

export async function ensureWarehouseLedger(session: Session): Promise<void> {
  const { columns } = spellingOf(session)
  const known = await Promise.all(tableNames.map(name => columns(session, 'plinth', name)))
  if (known.every(found => found.length > 0)) return
  for (const statement of statements) await session.query(statement)
}

/** What the warehouse knows of a source, beside the cursor. */
export interface StoredCursor extends Cursor {
  readonly runId: string
  /** Rows of the raw table when the cursor was stored. */
  readonly rawRows: bigint
  readonly movedAt: string
}

export async function readCursor(session: Session, source: string): Promise<StoredCursor | null> {
  const { rows } = await session.query<CursorRow>(
    `select snapshot, token, system_identifier, timeline, relation, run_id, raw_rows, moved_at from plinth.rollup_cursors where source = $1`,
    [source],
  )
  const row = rows[0]
  if (!row) return null
  return {
    snapshot: row.snapshot,
    token: BigInt(row.token),
    systemIdentifier: row.system_identifier,
    timeline: row.timeline,
    relation: row.relation,
    runId: row.run_id,
    rawRows: BigInt(row.raw_rows),
    movedAt: row.moved_at,
  }
}

export interface Claim {
  readonly source: string
  readonly lease: string
  readonly token: bigint
  readonly runId: string
  /** Tokens of another source are not comparable: a rebase after a restore starts anew. */
  readonly fresh: 'yes' | 'no'
}

/**
 * Takes the target for this token, within the transaction that is open: refuses when a newer runner has been here. Two runners that
 * write at once conflict on this row, and one of them is rolled back.
 */
export async function claimTarget(session: Session, claim: Claim): Promise<void> {
  const stored = await readCursor(session, claim.source)
  if (stored && claim.fresh === 'no' && stored.token > claim.token) throw leaseLost(claim.lease)
  await fenceAtCommit(session, claim)
  const claimed = stored
    ? session.query('update plinth.rollup_cursors set token = $2, run_id = $3 where source = $1', [
        claim.source,
        claim.token,
        claim.runId,
      ])
    : session.query(
        `insert into plinth.rollup_cursors (source, snapshot, token, system_identifier, timeline, relation, run_id, raw_rows, moved_at)
         values ($1, null, $2, null, null, '', $3, 0, now())`,
        [claim.source, claim.token, claim.runId],
      )
  await claimed.catch((error: unknown) => {
    if (!(error instanceof PlinthError) || (error.code !== 'SQL_FAILED' && error.code !== 'CONSTRAINT_VIOLATED'))
      throw error
    throw new PlinthError('WAREHOUSE_BUSY', 'Another run of this process is writing to the warehouse.', {
      at: { object: session.address },
      hint: 'Wait for that run to end, then run again.',
      cause: error,
    })
  })
}

/** Where the transaction is sent as a whole, another runner may come between the reading and the commit. */
async function fenceAtCommit(session: Session, { source, lease, token, fresh }: Claim): Promise<void> {
  const { deferred } = spellingOf(session)
  if (!deferred || fresh === 'yes') return
  const { code, message } = leaseLost(lease)
  const overtaken = `select 1 from plinth.rollup_cursors where source = '${source.replaceAll("'", "\\'")}' and token > ${token}`
  await deferred.assert(session, `not exists (${overtaken})`, { code, message })
}

/** Moves the cursor; the rows it tells of are in the same transaction. */
export async function moveCursor(
  session: Session,
  source: string,
  cursor: Cursor,
  runId: string,
  rawTable: string,
): Promise<void> {
  await session.query(
    `update plinth.rollup_cursors
     set snapshot = $2, token = $3, system_identifier = $4, timeline = $5, relation = $6, run_id = $7,
         raw_rows = (select count(*) from ${rawTable}), moved_at = now()
     where source = $1`,
    [source, cursor.snapshot, cursor.token, cursor.systemIdentifier, cursor.timeline, cursor.relation, runId],
  )
}

/** After rows were rewritten without moving the cursor. */
export async function storeRawRows(session: Session, source: string, rawTable: string): Promise<void> {
  await session.query(
    `update plinth.rollup_cursors set raw_rows = (select count(*) from ${rawTable}) where source = $1`,
    [source],
  )
}

/** Leaves the cursor where it is, and remembers how many rows there are now. */
export async function keepCursor(session: Session, source: string, rawTable: string): Promise<void> {
  await session.query(
    `update plinth.rollup_cursors set raw_rows = (select count(*) from ${rawTable}) where source = $1`,
    [source],
  )
}

/** Lets the next run build these transforms anew. */
export async function forgetFingerprints(session: Session, names: readonly string[]): Promise<void> {
  for (const name of names) await session.query('delete from plinth.rollup_transforms where name = $1', [name])
}

export interface RunRecord {
  readonly runId: string
  readonly source: string
  readonly token: bigint
  readonly mode: string
  readonly marks: number
  readonly cells: number
  readonly rows: number
  readonly durationMs: number
}

export async function recordRun(session: Session, run: RunRecord): Promise<void> {
  await session.query(
    `insert into plinth.rollup_runs (run_id, source, token, mode, marks, cells, rows, duration_ms, finished_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, now())`,
    [run.runId, run.source, run.token, run.mode, run.marks, run.cells, run.rows, run.durationMs],
  )
}

export interface LastRun {
  readonly runId: string
  readonly mode: string
  readonly marks: number
  readonly cells: number
  readonly rows: number
  readonly durationMs: number
  readonly finishedAt: string
}

export async function lastRun(session: Session, source: string): Promise<LastRun | null> {
  const { rows } = await session.query<Record<string, string | number>>(
    `select run_id, mode, marks, cells, rows, duration_ms, finished_at from plinth.rollup_runs where source = $1 order by finished_at desc limit 1`,
    [source],
  )
  const row = rows[0]
  return row
    ? {
        runId: String(row['run_id']),
        mode: String(row['mode']),
        marks: Number(row['marks']),
        cells: Number(row['cells']),
        rows: Number(row['rows']),
        durationMs: Number(row['duration_ms']),
        finishedAt: String(row['finished_at']),
      }
    : null
}

/** Fingerprints of the SQL that the transforms' rows were made with. */
export async function readFingerprints(session: Session): Promise<ReadonlyMap<string, string>> {
  const { rows } = await session.query<{ name: string; fingerprint: string }>(
    'select name, fingerprint from plinth.rollup_transforms',
  )
  return new Map(rows.map(row => [row.name, row.fingerprint]))
}

export async function storeFingerprints(
  session: Session,
  fingerprints: ReadonlyMap<string, string>,
  runId: string,
): Promise<void> {
  if (fingerprints.size === 0) return
  const all = [...fingerprints]
  const places = all.map((_, index) => `$${index * 2 + 2}`)
  const rows = places.map((place, index) => `(${place}, $${index * 2 + 3}, $1, now())`)
  // One statement each: a run stores all of them, and where a transaction is sent as a whole each statement takes time of its own.
  await session.query(
    `delete from plinth.rollup_transforms where name in (${all.map((_, at) => `$${at + 1}`).join(', ')})`,
    all.map(([name]) => name),
  )
  await session.query(
    `insert into plinth.rollup_transforms (name, fingerprint, run_id, built_at) values ${rows.join(', ')}`,
    [runId, ...all.flat()],
  )
}

export interface ReconciliationRecord {
  readonly runId: string
  readonly source: string
  readonly snapshot: string
  readonly cells: number
  readonly pending: number
  readonly different: number
  readonly repaired: number
  /** Evidence as JSON: places and counts, no row data. */
  readonly differences: string
  readonly durationMs: number
}

export async function recordReconciliation(session: Session, record: ReconciliationRecord): Promise<void> {
  await session.query(
    `insert into plinth.reconciliations (run_id, source, snapshot, cells, pending, different, repaired, differences, duration_ms, finished_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9, now())`,
    [
      record.runId,
      record.source,
      record.snapshot,
      record.cells,
      record.pending,
      record.different,
      record.repaired,
      record.differences,
      record.durationMs,
    ],
  )
}

export interface LastReconciliation {
  readonly finishedAt: string
  readonly cells: number
  readonly different: number
  readonly repaired: number
}

export async function lastReconciliation(session: Session, source: string): Promise<LastReconciliation | null> {
  const { rows } = await session.query<{ finished_at: string; cells: string; different: string; repaired: string }>(
    'select finished_at, cells, different, repaired from plinth.reconciliations where source = $1 order by finished_at desc limit 1',
    [source],
  )
  const row = rows[0]
  return row
    ? {
        finishedAt: row.finished_at,
        cells: Number(row.cells),
        different: Number(row.different),
        repaired: Number(row.repaired),
      }
    : null
}

/** Throws WAREHOUSE_FAILED when the table that rows are loaded into is not there. */
export async function requireTable(session: Session, schema: string, name: string): Promise<readonly string[]> {
  const columns = await columnsOf(session, schema, name)
  if (columns.length > 0) return columns
  throw new PlinthError('WAREHOUSE_FAILED', `The warehouse has no table ${schema}.${name}.`, {
    at: { object: session.address },
    hint: 'Apply the migrations of the warehouse first: plinth apply --track analytics.',
  })
}

/** Columns in their order; empty when there is no such table or view. */
export async function columnsOf(session: Session, schema: string, name: string): Promise<readonly string[]> {
  return (await spellingOf(session).columns(session, schema, name)).map(column => column.name)
}

interface CursorRow {
  readonly snapshot: string | null
  readonly token: string
  readonly system_identifier: string | null
  readonly timeline: string | null
  readonly relation: string
  readonly run_id: string
  readonly raw_rows: string
  readonly moved_at: string
}

const tableNames = [
  'rollup_cursors',
  'rollup_runs',
  'rollup_transforms',
  'reconciliations',
  ...sealTables.names,
  ...historyTables.names,
  ...backfillTables.names,
]

const statements = [
  'create schema if not exists plinth',
  `create table if not exists plinth.rollup_cursors (
     source varchar primary key,
     snapshot varchar,
     token bigint not null,
     system_identifier varchar,
     timeline varchar,
     relation varchar not null,
     run_id varchar not null,
     raw_rows bigint not null,
     moved_at timestamptz not null
   )`,
  `create table if not exists plinth.rollup_runs (
     run_id varchar not null,
     source varchar not null,
     token bigint not null,
     mode varchar not null,
     marks bigint not null,
     cells bigint not null,
     rows bigint not null,
     duration_ms bigint not null,
     finished_at timestamptz not null
   )`,
  `create table if not exists plinth.rollup_transforms (
     name varchar not null,
     fingerprint varchar not null,
     run_id varchar not null,
     built_at timestamptz not null
   )`,
  `create table if not exists plinth.reconciliations (
     run_id varchar not null,
     source varchar not null,
     snapshot varchar not null,
     cells bigint not null,
     pending bigint not null,
     different bigint not null,
     repaired bigint not null,
     differences json not null,
     duration_ms bigint not null,
     finished_at timestamptz not null
   )`,
  ...sealTables.statements,
  ...historyTables.statements,
  ...backfillTables.statements,
]

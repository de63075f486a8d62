/**
 * Makes and upgrades the tables of the history, on the first command that writes. Sixteen runners may come at the same moment: whoever gets
 * the lock works, the others find it done. What reads, never makes anything.
 */
import { type LockKind, withLock, withTransaction } from '../engines/brackets.ts'
import type { Parameterized, Result, Session } from '../engines/engine.ts'
import { ownSchema } from '../engines/postgres/own-schema.ts'
import { PlinthError } from '../errors.ts'
import type { Emit } from '../telemetry/event.ts'

/** The ledger's version that this release reads and writes. */
export const ledgerVersion = 3

/** 0 when the database has no ledger yet. Reads only. */
export async function readLedgerVersion(session: Session): Promise<number> {
  if (!(await hasLedgerTable(session))) return 0
  const [versions] = await session.send([newest])
  return versionIn(versions)
}

const newest: Parameterized = { text: 'select max(version) as version from plinth.migration_ledger' }

function versionIn(versions: Result | undefined): number {
  return Number(versions?.rows[0]?.['version'] ?? 0)
}

async function hasLedgerTable(session: Session): Promise<boolean> {
  if (session.hasTable) return session.hasTable('plinth', 'migration_ledger')
  const { rows } = await session.query(`
    select 1
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'plinth' and c.relname = 'migration_ledger'`)
  return rows.length > 0
}

export interface LedgerOptions {
  readonly emit: Emit
  readonly lockWaitMs: number
  readonly signal?: AbortSignal | undefined
  readonly lock?: LockKind | undefined
}

/** Throws LEDGER_NEWER when a newer release of Plinth upgraded the ledger beyond what this one knows. */
export async function ensureLedger(session: Session, options: LedgerOptions): Promise<void> {
  if (isCurrent(await readLedgerVersion(session), session)) return
  await withLock(
    session,
    'plinth:ledger',
    { waitMs: options.lockWaitMs, emit: options.emit, signal: options.signal, kind: options.lock },
    async () => {
      const version = await readLedgerVersion(session)
      if (isCurrent(version, session)) return
      await withTransaction(session, async () => {
        await makeSchema(session)
        if (version === 0) await dropCopied(session)
        for (const step of upgrades.slice(version)) await session.script(step)
        await session.query('insert into plinth.migration_ledger (version) values ($1)', [ledgerVersion])
      })
    },
  )
}

/** A copy of a database's schema alone, such as `pg_dump --schema-only` makes, has our tables and no row: not even which version they are of. */
async function dropCopied(session: Session): Promise<void> {
  if (!session.engine.can.postgresSyntax || !(await hasLedgerTable(session))) return
  const { rows } = await session.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'plinth' and table_name in (${tables.map(name => `'${name}'`).join(', ')})`,
  )
  for (const { name } of rows) {
    const some = await session.query(`select 1 from plinth.${name} limit 1`)
    // Whoever emptied one of them has a reason that we do not know.
    if (some.rows.length > 0) return
  }
  await session.query(`drop table ${rows.map(({ name }) => `plinth.${name}`).join(', ')}`)
}

const tables = ['migration_ledger', 'migration_runs', 'migration_attempts', 'archives', 'archive_objects'] as const

async function makeSchema(session: Session): Promise<void> {
  const text = session.engine.can.postgresSyntax ? ownSchema : 'create schema if not exists plinth'
  await session.script(text).catch((thrown: unknown) => {
    if (!(thrown instanceof PlinthError) || thrown.code !== 'PERMISSION_DENIED') throw thrown
    throw new PlinthError('PERMISSION_DENIED', 'This role may not create the schema plinth, which keeps the history.', {
      at: { object: 'plinth' },
      hint: 'Grant CREATE on the database to the role, or make the schema for it: create schema plinth authorization that_role',
      sqlState: thrown.sqlState,
      cause: thrown,
    })
  })
}

/** For commands that only read: a ledger that is newer than this release is refused, an older one is read as it is. */
export async function hasLedger(session: Session): Promise<boolean> {
  const version = await readLedgerVersion(session)
  isCurrent(version, session)
  return version > 0
}

/**
 * Asks the ledger itself, together with its version; null when there is none. Throws LEDGER_NEWER, also where a question does not fit what a
 * newer release made of it.
 */
export async function askLedger(
  session: Session,
  questions: readonly Parameterized[],
): Promise<readonly Result[] | null> {
  if (!(await hasLedgerTable(session))) return null
  try {
    const [versions, ...answers] = await session.send([newest, ...questions])
    isCurrent(versionIn(versions), session)
    return answers
  } catch (thrown) {
    isCurrent(await readLedgerVersion(session).catch(() => 0), session)
    throw thrown
  }
}

function isCurrent(version: number, session: Session): boolean {
  if (version > ledgerVersion) {
    throw new PlinthError(
      'LEDGER_NEWER',
      `The history of ${session.address} was written by a newer release of Plinth.`,
      {
        at: { object: 'plinth.migration_ledger' },
        hint: 'Update Plinth, then run the command again.',
        details: { ledgerVersion: version, known: ledgerVersion },
      },
    )
  }
  return version === ledgerVersion
}

/** One script a version, in the SQL that every engine understands: text ids, no identity, no server-side defaults. */
const upgrades: readonly string[] = [
  `create table plinth.migration_ledger (version integer primary key);
create table plinth.migration_runs (
  id text primary key,
  track text not null,
  command text not null,
  direction text not null check (direction in ('up', 'down')),
  status text not null check (status in ('running', 'succeeded', 'failed', 'interrupted')),
  steps_planned integer not null,
  steps_done integer not null,
  actor text not null,
  host text not null,
  tool_version text not null,
  trace_id text,
  error_code text,
  started_at timestamptz not null,
  finished_at timestamptz
);
create table plinth.migration_attempts (
  id text primary key,
  run_id text not null,
  track text not null,
  attempt_number integer not null,
  version text not null,
  slug text not null,
  direction text not null check (direction in ('up', 'down')),
  status text not null check (status in ('applying', 'applied', 'rolling_back', 'rolled_back', 'failed')),
  mode text not null check (mode in ('transactional', 'statement-wise')),
  up_checksum text,
  down_checksum text,
  up_sql text,
  down_sql text,
  statements_total integer not null,
  statements_done integer not null,
  prefix_hash text,
  actor text not null,
  host text not null,
  tool_version text not null,
  trace_id text,
  started_at timestamptz not null,
  finished_at timestamptz,
  duration_ms double precision,
  error_code text,
  sql_state text,
  error_line integer,
  rows_changed bigint,
  tables_touched json,
  note json,
  unique (track, attempt_number)
);`,
  `create table plinth.archives (
  id text primary key,
  track text not null,
  version text not null,
  slug text not null,
  direction text not null check (direction in ('up', 'down')),
  run_id text not null,
  status text not null check (status in ('kept', 'restored', 'leftover', 'purged')),
  created_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  report json
);
create table plinth.archive_objects (
  archive_id text not null,
  object_number integer not null,
  kind text not null check (kind in ('table', 'column', 'values', 'rows', 'sequence')),
  source text not null,
  copy text,
  rows_kept bigint,
  detail json not null,
  primary key (archive_id, object_number)
);
alter table plinth.migration_attempts add column loss_class text;
alter table plinth.migration_attempts add column preserved json`,
  'alter table plinth.migration_attempts add column checks json',
]

/** The one owner of plinth.migration_runs and plinth.migration_attempts: one row an attempt, never a dirty flag. */
import { createHash } from 'node:crypto'
import type { Parameterized, Scalar, Session } from '../engines/engine.ts'
import type { Direction } from '../telemetry/event.ts'
import type { CheckReport } from './checks.ts'
import { askLedger, hasLedger } from './ledger.ts'
import {
  type Attempt,
  type AttemptStatus,
  compareVersions,
  isRepeatable,
  type VersionHistory,
  versionKey,
} from './migration.ts'

/** Every version that the track ever tried, in order, with its present state. Empty when there is no ledger; makes none. */
export async function readHistory(session: Session, track: string): Promise<VersionHistory[]> {
  return (await readStanding(session, track)).history
}

export interface Standing {
  readonly history: VersionHistory[]
  /** Of repeatables, in order. `applied` is the attempt that left what stands: of a rollback too, where that brought an earlier text back. */
  readonly repeatables: VersionHistory[]
  /** A run has begun and not said how it ended: it is at work at this moment, or it died. */
  readonly hasOpenRun: boolean
}

/** What {@link readHistory} reads, and whether a run is open. */
export async function readStanding(session: Session, track: string): Promise<Standing> {
  const asOneValue = session.engine.can.postgresSyntax
  const attempts = { text: asOneValue ? attemptsAsJson : attemptsAsRows, values: [track] }
  const open = {
    text: "select 1 as open from plinth.migration_runs where track = $1 and status = 'running' limit 1",
    values: [track],
  }
  const answers = await askLedger(session, [attempts, open])
  const [answer = [], running = []] = answers?.map(({ rows }) => rows) ?? []
  const rows = asOneValue ? (answer[0]?.['attempts'] ?? []) : answer
  const all = (rows as readonly AttemptRow[]).map(readAttempt)
  return {
    history: byVersionOf(all.filter(({ version }) => !isRepeatable(version))),
    repeatables: byVersionOf(
      all.filter(({ version }) => isRepeatable(version)),
      leavesText,
    ),
    hasOpenRun: running.length > 0,
  }
}

function byVersionOf(all: readonly Attempt[], stands = isApplied): VersionHistory[] {
  const byVersion = new Map<string, Attempt[]>()
  for (const attempt of all) {
    const key = versionKey(attempt.version)
    const known = byVersion.get(key)
    if (known) known.push(attempt)
    else byVersion.set(key, [attempt])
  }
  return [...byVersion.values()]
    .flatMap(attempts => summarize(attempts, stands) ?? [])
    .sort((a, b) => compareVersions(a.version, b.version))
}

/** The last attempts of a track, newest first. Empty when there is no ledger; makes none. */
export async function readAttempts(
  session: Session,
  track: string,
  options: { readonly limit: number },
): Promise<Attempt[]> {
  if (!(await hasLedger(session))) return []
  const { rows } = await session.query<AttemptRow>(
    `select ${attemptColumns}
    from plinth.migration_attempts a
    where a.track = $1
    order by a.attempt_number desc
    limit ${Math.trunc(options.limit)}`,
    [track],
  )
  return rows.map(readAttempt)
}

/** The SQL that was kept with an attempt, for when its file is gone. */
export async function readStoredSql(session: Session, attemptId: string, direction: Direction): Promise<string | null> {
  const { rows } = await session.query<{ sql: string | null }>(
    `select ${direction === 'up' ? 'up_sql' : 'down_sql'} as sql
    from plinth.migration_attempts
    where id = $1`,
    [attemptId],
  )
  return rows[0]?.sql ?? null
}

/** What a repeatable was, from the first success on; an empty checksum says that nothing of it stood any more. */
export async function readTexts(
  session: Session,
  { track, version }: { readonly track: string; readonly version: string },
): Promise<readonly { readonly id: string; readonly status: AttemptStatus; readonly checksum: string }[]> {
  const { rows } = await session.query<{ id: string; status: AttemptStatus; checksum: string }>(
    `select id, status, coalesce(up_checksum, '') as checksum
    from plinth.migration_attempts
    where track = $1 and version = $2 and status in ('applied', 'rolled_back')
    order by attempt_number`,
    [track, version],
  )
  return rows
}

/** Who runs, on what, under which trace; the same for every row of a run. */
export interface RunOrigin {
  readonly runId: string
  readonly track: string
  readonly actor: string
  readonly host: string
  readonly toolVersion: string
  readonly traceId: string | null
}

export interface NewAttempt {
  readonly id: string
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  readonly status: AttemptStatus
  readonly mode: string
  readonly upChecksum: string | null
  readonly downChecksum: string | null
  readonly upSql: string | null
  readonly downSql: string | null
  readonly statementsTotal: number
  readonly cursor: number
  readonly prefixHash: string | null
  readonly startedAt: string
}

export interface Outcome {
  readonly finishedAt: string
  readonly durationMs: number
  readonly rows: number
  readonly tables: readonly string[]
  readonly errorCode?: string | undefined
  readonly sqlState?: string | undefined
  readonly errorLine?: number | undefined
  /** Checks that passed. */
  readonly checks?: readonly CheckReport[] | undefined
  /** How much the migration can lose; null where nobody judges. */
  readonly lossClass?: string | null | undefined
  /** What was kept and what came back, as JSON. */
  readonly preserved?: unknown
}

/** Numbers follow the track's lock, so nobody else can take the same one. */
export async function insertAttempt(
  session: Session,
  origin: RunOrigin,
  attempt: NewAttempt,
  outcome?: Outcome,
): Promise<void> {
  const { text, values, prepared } = attemptRow(origin, attempt, outcome)
  await session.query(text, values, { prepared })
}

/** The statement that {@link insertAttempt} sends, for those who send it together with others. */
export function attemptRow(origin: RunOrigin, attempt: NewAttempt, outcome?: Outcome): Required<Parameterized> {
  const columns: Record<string, Scalar> = {
    id: attempt.id,
    run_id: origin.runId,
    track: origin.track,
    version: attempt.version,
    slug: attempt.slug,
    direction: attempt.direction,
    status: attempt.status,
    mode: attempt.mode,
    up_checksum: attempt.upChecksum,
    down_checksum: attempt.downChecksum,
    up_sql: attempt.upSql,
    down_sql: attempt.downSql,
    statements_total: attempt.statementsTotal,
    statements_done: attempt.cursor,
    prefix_hash: attempt.prefixHash,
    actor: origin.actor,
    host: origin.host,
    tool_version: origin.toolVersion,
    trace_id: origin.traceId,
    started_at: attempt.startedAt,
    ...(outcome ? outcomeColumns(outcome) : {}),
  }
  const names = Object.keys(columns)
  return {
    text: `insert into plinth.migration_attempts (attempt_number, ${names.join(', ')})
    select coalesce(max(attempt_number), 0) + 1, ${names.map((name, at) => `$${at + 2}${casts[name] ?? ''}`).join(', ')}
    from plinth.migration_attempts
    where track = $1`,
    values: [origin.track, ...Object.values(columns)],
    prepared: true,
  }
}

/** Says how far a statement-wise attempt is. */
export async function moveCursor(session: Session, id: string, cursor: number, prefixHash: string): Promise<void> {
  await session.query(
    'update plinth.migration_attempts set statements_done = $2, prefix_hash = $3 where id = $1',
    [id, cursor, prefixHash],
    { prepared: true },
  )
}

/** Keeps what a statement needs to be recognised after a crash, such as the indexes that were there before it. */
export async function noteBefore(session: Session, id: string, note: unknown): Promise<void> {
  await session.query('update plinth.migration_attempts set note = $2::json where id = $1', [id, JSON.stringify(note)])
}

export async function finishAttempt(
  session: Session,
  id: string,
  status: AttemptStatus,
  outcome: Outcome,
): Promise<void> {
  const columns = outcomeColumns(outcome)
  const assignments = Object.keys(columns).map((name, at) => `${name} = $${at + 3}${casts[name] ?? ''}`)
  await session.query(`update plinth.migration_attempts set status = $2, ${assignments.join(', ')} where id = $1`, [
    id,
    status,
    ...Object.values(columns),
  ])
}

/** Says that a run begins, and that earlier ones that never ended were interrupted: whoever holds the track's lock is alone. */
export async function insertRun(
  session: Session,
  origin: RunOrigin,
  run: {
    readonly command: string
    readonly direction: Direction
    readonly stepsPlanned: number
    readonly startedAt: string
  },
): Promise<void> {
  await closeOpenRuns(session, origin.track)
  await session.query(
    `insert into plinth.migration_runs (id, track, command, direction, status, steps_planned, steps_done, actor, host, tool_version, trace_id, started_at)
    values ($1, $2, $3, $4, 'running', $5, 0, $6, $7, $8, $9, $10::timestamptz)`,
    [
      origin.runId,
      origin.track,
      run.command,
      run.direction,
      run.stepsPlanned,
      origin.actor,
      origin.host,
      origin.toolVersion,
      origin.traceId,
      run.startedAt,
    ],
  )
}

/** Whoever holds the track's lock knows that those which have not ended never will. */
export async function closeOpenRuns(session: Session, track: string): Promise<void> {
  await session.query(
    "update plinth.migration_runs set status = 'interrupted' where track = $1 and status = 'running'",
    [track],
  )
}

export async function finishRun(
  session: Session,
  runId: string,
  end: {
    readonly status: 'succeeded' | 'failed' | 'interrupted'
    readonly stepsDone: number
    readonly errorCode: string | null
    readonly finishedAt: string
  },
): Promise<void> {
  await session.query(
    'update plinth.migration_runs set status = $2, steps_done = $3, error_code = $4, finished_at = $5::timestamptz where id = $1',
    [runId, end.status, end.stepsDone, end.errorCode, end.finishedAt],
  )
}

/** Versions whose last successful attempt upwards belongs to the run, for `rollback --run`. */
export function versionsOfRun(history: readonly VersionHistory[], runId: string): string[] {
  return history.filter(one => one.applied?.runId === runId).map(one => one.version)
}

/** What the newest finished attempt upwards of a version ran, whether it still stands or not; undefined when there was none. */
export async function lastAppliedUp(
  session: Session,
  { track, version }: { readonly track: string; readonly version: string },
): Promise<{ readonly slug: string; readonly checksum: string | null } | undefined> {
  const { rows } = await session.query<{ slug: string; checksum: string | null }>(
    `select slug, up_checksum as checksum
    from plinth.migration_attempts
    where track = $1 and version = $2 and direction = 'up' and status = 'applied'
    order by attempt_number desc
    limit 1`,
    [track, version],
  )
  return rows[0]
}

/** One hash over the statements in order, so that an edited prefix is seen whatever its length. */
export function prefixHash(statements: readonly { readonly text: string }[], count: number): string {
  const hash = createHash('sha256')
  for (const { text } of statements.slice(0, count))
    hash.update(createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest())
  return hash.digest('hex')
}

interface AttemptRow {
  readonly id: string
  readonly run_id: string
  readonly version: string
  readonly slug: string
  readonly attempt_number: number
  readonly direction: Direction
  readonly status: AttemptStatus
  readonly up_checksum: string | null
  readonly down_checksum: string | null
  readonly down_stored: boolean
  readonly statements_done: number
  readonly prefix_hash: string | null
  readonly actor: string
  readonly host: string
  readonly started_at: string
  readonly finished_at: string | null
  readonly duration_ms: number | null
  readonly error_code: string | null
  readonly sql_state: string | null
  readonly error_line: number | null
  readonly rows_changed: string | number | null
  readonly tables_touched: readonly string[] | null
  readonly note: unknown
}

/** The SQL itself stays in the database until it is needed. */
const columnsWith = (
  moment: (column: string) => string,
): string => `a.id, a.run_id, a.version, a.slug, a.attempt_number, a.direction, a.status, a.up_checksum, a.down_checksum,
      a.down_sql is not null as down_stored, a.statements_done, a.prefix_hash, a.actor, a.host,
      ${moment('a.started_at')} as started_at, ${moment('a.finished_at')} as finished_at,
      a.duration_ms, a.error_code, a.sql_state, a.error_line, a.rows_changed, a.tables_touched, a.note`

const attemptColumns = columnsWith(column => column)

const attemptsWith = (columns: string): string => `select ${columns}
    from (
      select a.*, max(case when a.status in ('applied', 'rolled_back') then a.attempt_number end) over (partition by a.version) as last_success
      from plinth.migration_attempts a
      where a.track = $1
    ) a
    where a.last_success is null or a.attempt_number >= a.last_success
    order by a.attempt_number`

const inUtc = (column: string): string => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

const attemptsAsRows = attemptsWith(attemptColumns)

/** One value, which a process that has just started reads in a third of the time of hundreds of rows. */
const attemptsAsJson = `select coalesce(json_agg(a), '[]') as attempts from (${attemptsWith(columnsWith(inUtc))}) a`

/** Parameters are text on the wire; an insert from a select does not infer their types from the table. */
const casts: Readonly<Record<string, string>> = {
  statements_total: '::integer',
  statements_done: '::integer',
  started_at: '::timestamptz',
  finished_at: '::timestamptz',
  duration_ms: '::double precision',
  error_line: '::integer',
  rows_changed: '::bigint',
  tables_touched: '::json',
  checks: '::json',
  preserved: '::json',
}

function outcomeColumns(outcome: Outcome): Record<string, Scalar> {
  return {
    finished_at: outcome.finishedAt,
    duration_ms: outcome.durationMs,
    rows_changed: outcome.rows,
    tables_touched: JSON.stringify(outcome.tables),
    error_code: outcome.errorCode ?? null,
    sql_state: outcome.sqlState ?? null,
    error_line: outcome.errorLine ?? null,
    checks: outcome.checks?.length ? JSON.stringify(outcome.checks) : null,
    loss_class: outcome.lossClass ?? null,
    preserved: outcome.preserved ? JSON.stringify(outcome.preserved) : null,
  }
}

function readAttempt(row: AttemptRow): Attempt {
  return {
    id: row.id,
    runId: row.run_id,
    version: row.version,
    slug: row.slug,
    number: row.attempt_number,
    direction: row.direction,
    status: row.status,
    upChecksum: row.up_checksum,
    downChecksum: row.down_checksum,
    downStored: row.down_stored,
    cursor: row.statements_done,
    prefixHash: row.prefix_hash,
    actor: row.actor,
    host: row.host,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    durationMs: row.duration_ms,
    errorCode: row.error_code,
    sqlState: row.sql_state,
    errorLine: row.error_line,
    rows: row.rows_changed === null ? null : Number(row.rows_changed),
    tables: row.tables_touched ?? [],
    note: row.note ?? null,
  }
}

/** Attempts come in the order in which they happened. */
function summarize(attempts: readonly Attempt[], stands: (success: Attempt) => boolean): VersionHistory | undefined {
  const newest = attempts.at(-1)
  if (!newest) return undefined
  const success = attempts.findLast(({ status }) => status === 'applied' || status === 'rolled_back')
  const applied = success && stands(success) ? success : null
  const { version, slug } = newest
  const unfinished = newest === success ? null : newest
  return { version, slug, state: applied ? 'applied' : 'pending', applied, unfinished }
}

function isApplied({ status }: Attempt): boolean {
  return status === 'applied'
}

/** Of a repeatable: whichever direction it ran in, its text says what stands, and an empty one that nothing does. */
function leavesText({ upChecksum }: Attempt): boolean {
  return Boolean(upChecksum)
}

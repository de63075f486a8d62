/**
 * The one seam to a database. Parts above it speak to a Session and ask an engine what it *can* do, never who it is. Each engine is a
 * folder with the same files: `index.ts` (the Engine), `session.ts`, `introspect.ts`, `write.ts`.
 */
import type { Readable } from 'node:stream'
import type { Code } from '../errors.ts'
import type { Schema } from '../schema/model.ts'
import type { Blocker, StepWaits } from '../telemetry/event.ts'

export type { Blocker } from '../telemetry/event.ts'

export interface Engine {
  readonly name: string
  /** URL schemes without the colon, such as `postgres` and `postgresql`. */
  readonly schemes: readonly string[]
  readonly can: Capabilities
  /** What rollups need beyond plain SQL; present where `can.warehouse` is true. */
  readonly warehouse?: Warehouse
  /** Opens a session. Throws DATABASE_URL_INVALID, DATABASE_UNREACHABLE, DATABASE_AUTHENTICATION, DATABASE_UNKNOWN, SERVER_UNSUPPORTED, WAREHOUSE_BUSY. */
  open(url: string, options?: OpenOptions): Promise<Session>
  /** `host:port/database` or a file path: safe to print, never with a password. */
  describe(url: string): string
  /** Makes an empty database beside `url` and answers its URL; `drop` removes it again. For verify, docs and tests. */
  createScratch(url: string, name: string, options?: { readonly template?: string }): Promise<Scratch>
  /** What is to be said of a server of that major version, which nobody has tried yet; null where all is well. */
  readonly untried?: (serverVersion: number) => string | null
  /** The URL of another database on the same server. Absent where a URL is one database. */
  readonly beside?: (url: string, database: string) => string
  /** What leads a database from one catalog to another, in one transaction. Absent where the engine cannot write it. */
  readonly writeChanges?: (from: Schema, to: Schema) => Promise<readonly Change[]>
}

/** A statement, without a semicolon, or a sentence about what no statement can do. */
export interface Change {
  readonly kind: 'statement' | 'note'
  readonly text: string
}

/** How a warehouse spells what rollups say, and how rows come into it in bulk. */
export interface Warehouse {
  /** A qualified name, quoted. */
  readonly relation: (schema: string, name: string) => string
  /** A name alone, quoted. */
  readonly name: (name: string) => string
  /** A moment as a literal, from ISO 8601 in UTC; null stands for before and after all of them. */
  readonly moment: (at: string | null, otherwise: 'before all' | 'after all') => string
  /** A day as a literal, from `YYYY-MM-DD`. */
  readonly day: (at: string | null, otherwise: 'before all' | 'after all') => string
  /** The UTC day of a moment. */
  readonly dayOf: (moment: string) => string
  /** The beginning of the hour, day, week (Monday) or month of a moment, read on a clock that is so many seconds ahead of UTC: a time without a zone. */
  readonly localStart: (moment: string, offsetSeconds: string, unit: 'hour' | 'day' | 'week' | 'month') => string
  /** The moment at which that clock began its hour. */
  readonly localHour: (moment: string, offsetSeconds: string) => string
  /**
   * A condition: this bucket and shard are among the rows of a table with the columns `bucket` and `shard`. With an organization, which an engine
   * whose transactions are `deferred` is never given, all three are among them.
   */
  readonly isListed: (bucket: string, shard: string, cells: string, organization?: string) => string
  /** An aggregate over rows that does not depend on their order, to be held against the same over others; `columns` are expressions of equal types. */
  readonly fingerprint: (columns: readonly string[]) => string
  /**
   * Where a row lies in its table, under the name of a column: grows as rows are added, and a bound on it spares reading the rows before. Absent
   * where the engine has no such number.
   */
  readonly rowId?: string
  /** An expression as a column of that type would keep it. */
  readonly asStored: (expression: string, type: string) => string
  /** Columns of a table or view in their order, with their types; empty when there is none. */
  readonly columns: (
    session: Session,
    schema: string,
    name: string,
  ) => Promise<readonly { readonly name: string; readonly type: string }[]>
  /** What stands under this name; null for nothing. */
  readonly kind: (session: Session, schema: string, name: string) => Promise<'table' | 'view' | null>
  /** The name of the database that a URL opens, which qualifies its schemas. */
  readonly catalog: (url: string) => string
  /** The columns that a query would answer, without running it. */
  readonly describe: (session: Session, query: string) => Promise<readonly string[]>
  /** A type as files write it for both engines, such as `uuid` or `decimal(38, 6)`, in the engine's own words. */
  readonly typeNamed: (type: string) => string
  /** The same with their types, in words that are equal where the types are. */
  readonly describeTypes: (
    session: Session,
    query: string,
  ) => Promise<readonly { readonly name: string; readonly type: string }[]>
  /** Appends rows of CSV to a table within the transaction that is open, and answers their number. */
  readonly loadCsv: (session: Session, load: Load) => Promise<number>
  /** Bytes that a query would read, where the engine bills by them. */
  readonly estimateBytes?: (session: Session, query: string) => Promise<number>
  /** Present where sessions are not stateful. */
  readonly deferred?: DeferredWrites
  /** Keeps descriptions with a table or view that stands, and with its columns; absent where it cannot. */
  readonly comment?: (session: Session, described: Commented) => Promise<void>
  /** What stands between the name of a table that is made and its query, out of dbt's settings; absent where these say nothing to the engine. */
  readonly tableClause?: (settings: Readonly<Record<string, unknown>>) => string
  /** Replaces the partitions that rows of another table lie in; absent where tables have none. Null where the settings name no partitions. */
  readonly overwrite?: (settings: Readonly<Record<string, unknown>>) => Overwrite | null
}

/** What is said of a table or view; an empty text takes a description back. */
export interface Commented {
  readonly kind: 'table' | 'view'
  readonly schema: string
  readonly table: string
  /** Absent where it stays as it is. */
  readonly description?: string
  /** By name in lower case; those of no column are passed over. */
  readonly columns: ReadonlyMap<string, string>
}

/** How whole partitions of a table are replaced. */
export interface Overwrite {
  /** A query for the partitions of a table, as text in the column `partition_value`. */
  readonly partitions: (table: string) => string
  /** Puts the rows of `from` into the place of those partitions, which are what the query answered or expressions of SQL. */
  readonly statement: (replacing: Replacing) => string
}

export interface Replacing {
  readonly table: string
  readonly from: string
  /** Quoted. */
  readonly columns: readonly string[]
  readonly values: readonly string[]
  readonly kind: 'answered' | 'expressions'
}

/** What takes the place of temporary tables and of looking at one's own writes, where a transaction is sent as a whole at its commit. */
export interface DeferredWrites {
  /** Puts CSV into a relation of its own, which lasts until the session begins another transaction or closes; answers its name. */
  readonly stage: (session: Session, load: Omit<Load, 'table'>) => Promise<string>
  /** At the commit, after the writes that came before: unless `condition` holds, nothing is kept, and the commit fails with code and message. */
  readonly assert: (
    session: Session,
    condition: string,
    failure: { readonly code: Code; readonly message: string },
  ) => Promise<void>
}

export interface Load {
  /** Qualified name of an existing table, which may be a temporary one. */
  readonly table: string
  /** Columns of the CSV in order, with the DuckDB type that each is read as, such as `TIMESTAMPTZ` or `DECIMAL(18,6)`. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** CSV without a header, as PostgreSQL's `copy … to stdout (format csv)` writes it: NULL is empty, an empty string is `""`. */
  readonly source: AsyncIterable<Uint8Array | string>
}

export interface Scratch {
  readonly url: string
  drop(): Promise<void>
}

export interface Capabilities {
  /** DDL can be rolled back. */
  readonly transactionalDdl: boolean
  /** Several processes may have the database open at once, so a run needs a lock of its own. */
  readonly concurrentProcesses: boolean
  /** A lock can be a row with a heartbeat as well, so both kinds must heed each other. */
  readonly leases: boolean
  /** `set lock_timeout` and `statement_timeout` exist. */
  readonly timeouts: boolean
  /** Row-level security, roles and grants. */
  readonly rowSecurity: boolean
  /** The session's text is PostgreSQL's dialect, so libpg-query parses it. */
  readonly postgresSyntax: boolean
  /** The session's text is GoogleSQL, where a backslash escapes a quote and blocks nest statements. */
  readonly googleSyntax: boolean
  /** Snapshots that can be compared (`pg_current_snapshot`), so changes can be captured from it. */
  readonly capture: boolean
  /** It can hold rollups: a `write.ts` that loads and replaces cells. */
  readonly warehouse: boolean
  /**
   * What a session does lasts from one statement to the next: settings, temporary tables, and a transaction that sees its own writes. Where it
   * does not, each statement is a job of its own; a transaction gathers its writes and sends them as one at the commit, so that what is read
   * before it is what was there.
   */
  readonly statefulSessions: boolean
}

export interface OpenOptions {
  /** Shown in `pg_stat_activity`; at most 63 bytes. */
  readonly applicationName?: string
  /** How long to wait for a server or a busy file, in milliseconds. */
  readonly waitMs?: number
  /** Told while waiting, with the holder's description where it is known. */
  readonly onWait?: (holder: string | null, waitedMs: number) => void
  /** PostgreSQL settings for the session, such as `search_path`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A single value that can be sent as a parameter. */
export type Scalar = Exclude<Value, readonly unknown[]>

/** A value that can be sent as a parameter. */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly (string | number | boolean | null)[]

/**
 * A row as every engine gives it, without loss: wide integers and decimals are strings, timestamps are ISO 8601 in UTC with microseconds
 * (`2026-01-31T12:00:00.000000Z`), dates `YYYY-MM-DD`, JSON is parsed, bytes are Uint8Array; booleans, `int4` and `float8` are native.
 */
export type Row = Record<string, unknown>

export interface Result<R = Row> {
  readonly rows: R[]
  /** Rows that the statement returned or changed. */
  readonly rowCount: number
  /** The command tag's first words, such as `INSERT` or `CREATE TABLE`; empty when the engine does not say. */
  readonly command: string
}

/** A statement with its parameters. */
export interface Parameterized extends QueryOptions {
  readonly text: string
  readonly values?: readonly Scalar[]
}

export interface QueryOptions {
  /**
   * The statement comes again in this session with the same text: where the engine can, it is parsed and planned once. Only for our own
   * statements, whose result has the same columns whatever files do in between.
   */
  readonly prepared?: boolean | undefined
}

/** One statement of a script that finished; `index` counts from 0 in the order of the text. */
export interface StatementDone {
  readonly index: number
  readonly command: string
  readonly rowCount: number
  /** Monotonic milliseconds within the script at which it finished. */
  readonly finishedAtMs: number
}

export interface Session {
  readonly engine: Engine
  /** Safe to print. */
  readonly address: string
  /** The server's process of this session, where there is one that is its own. */
  readonly backendId: number | null
  /**
   * A pooler stands between, which may give each transaction another server process: nothing may rest on what a session keeps beyond its
   * transaction, such as advisory locks, settings and temporary tables.
   */
  readonly pooled: boolean
  /** Major version of the server, such as 18. */
  readonly serverVersion: number
  /** One statement with `$1…` parameters. Throws a PlinthError with `sqlState` where the database spoke. */
  query<R = Row>(text: string, values?: readonly Value[], options?: QueryOptions): Promise<Result<R>>
  /**
   * Statements as `query` takes them, sent at once and in order, for what belongs together, such as a last row and its commit. Answers as many
   * results. Behind one that fails none is run.
   */
  send(statements: readonly Parameterized[]): Promise<readonly Result[]>
  /**
   * Several statements in one message, without parameters, in the order of the text. Positions in errors (`at.line`, `at.column`, counted in
   * `text`) are the caller's to map to a file. Outside a transaction the engine's own rule for a batch holds, so callers open one.
   */
  script(text: string, onStatement?: (done: StatementDone) => void): Promise<void>
  /** Rows out of a `copy … to stdout` or a query, as bytes in CSV or binary form. */
  copyOut(text: string): Readable
  /** Bytes into a `copy … from stdin`; answers the number of rows. */
  copyIn(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number>
  /** The catalog as plain data; Plinth's own schema and system schemas left out. */
  introspect(options?: IntrospectOptions): Promise<Schema>
  /** Tries once, never waits. The lock lives as long as the session. */
  tryLock(name: string): Promise<boolean>
  /** False when this session did not hold it, which is a defect that callers report. */
  unlock(name: string): Promise<boolean>
  /** Who holds the lock, for people to read; null when nobody or unknown. */
  lockHolder(name: string): Promise<string | null>
  /** Whether there is such a table, where the engine has no catalog of PostgreSQL's shape to ask. */
  hasTable?(schema: string, name: string): Promise<boolean>
  /** Another session on the same database, where the engine allows several. */
  sibling?(applicationName: string): Promise<Session>
  /** Sees who stands in this session's way and in whose way it stands, where the engine can tell. */
  watch?(options: WatchOptions): Watch
  /** Stops the running statement from outside the session. */
  cancel(): Promise<void>
  close(): Promise<void>
}

export interface IntrospectOptions {
  /** Only these schemas; default all but system schemas and `plinth`. */
  readonly schemas?: readonly string[]
  /** The session keeps the plan, for whoever asks in it again. */
  readonly prepared?: boolean
  /** Only what may have changed is read, and the rest is taken over. */
  readonly since?: Since
}

/** A catalog as it was, and what may have changed in it: no name that stands in anything else. */
export interface Since {
  readonly schema: Schema
  /** Tables, views and sequences that are there, by oid. */
  readonly relations: readonly number[]
  /** `schema.name` of these, and of those that are gone. */
  readonly names: ReadonlySet<string>
  readonly routines: 'same' | 'changed'
}

export interface WatchOptions {
  /** Told when the session waits for somebody's lock: soon after it is seen, when it is somebody else, and every five seconds. */
  readonly onBlocked: (waitedMs: number, blockers: readonly Blocker[]) => void
  /** Nothing is opened before, so that quick work costs nothing; default 200. */
  readonly afterMs?: number
  /** Default 150. */
  readonly everyMs?: number
}

/** Never throws and never fails what it watches. */
export interface Watch {
  /** Ends the watch and says what was seen; null when the work was over before the first look. */
  stop(): Promise<LockWaits | null>
}

export interface LockWaits extends StepWaits {
  /** Who stood in the way last; empty when nobody did. */
  readonly blockers: readonly Blocker[]
}

/**
 * Every failure of Plinth has a code, a place and a next step. This file is the closed list: one row a code gives the
 * exit status of the command line, the status of the HTTP API and the text of `plinth explain CODE`.
 *
 * Exit statuses: 0 ok, 1 failure, 2 usage or configuration, 3 differences found, 4 lint errors, 5 refused by a guard,
 * 6 lock or timeout (safe to retry), 7 database unreachable, 130 interrupted after a clean rollback.
 */
export const codes = {
  INTERNAL: {
    exit: 1,
    http: 500,
    explain: 'A defect in Plinth itself. Please report it with the output of the command run again with --verbose.',
  },
  USAGE: {
    exit: 2,
    http: 400,
    explain: 'The command was called with arguments that it does not know or that exclude each other.',
  },
  CONFIG_INVALID: {
    exit: 2,
    http: 400,
    explain:
      'The configuration file is not valid YAML or has a value that is not allowed. The place names file and line.',
  },
  CONFIG_NOT_FOUND: { exit: 2, http: 400, explain: 'A configuration file that was asked for by name does not exist.' },
  TRACK_UNKNOWN: { exit: 2, http: 404, explain: 'The configuration has no track of that name.' },
  ENVIRONMENT_UNKNOWN: { exit: 2, http: 404, explain: 'The configuration has no environment of that name.' },
  VERSION_UNKNOWN: {
    exit: 2,
    http: 404,
    explain: 'Neither the folder nor the history has a migration of that version.',
  },
  FOLDER_NOT_FOUND: { exit: 2, http: 404, explain: 'A folder that was named or configured does not exist.' },
  FILE_UNREADABLE: { exit: 2, http: 400, explain: 'A file exists but cannot be read, or is not UTF-8 text.' },
  FILE_NAME_INVALID: {
    exit: 2,
    http: 400,
    explain: 'A migration file is not named <version>_<slug>.up.sql or .down.sql.',
  },
  VERSION_DUPLICATE: {
    exit: 2,
    http: 409,
    explain: 'Two migrations have the same version. Versions order a track, so they must be unique.',
  },
  DOWN_MISSING: {
    exit: 2,
    http: 409,
    explain:
      'A migration has no .down.sql beside its .up.sql. Every change can be rolled back, so write one, even if it is empty on purpose.',
  },
  UP_MISSING: { exit: 2, http: 409, explain: 'A .down.sql has no .up.sql of the same version.' },
  LAYOUT_AMBIGUOUS: {
    exit: 2,
    http: 409,
    explain:
      'A folder of migrations mixes the layouts of two tools, or has two folders of one dialect. Which files count would be a guess, so nothing is read.',
  },
  LAYOUT_UNKNOWN: {
    exit: 2,
    http: 422,
    explain:
      'A folder has files of SQL, and none is named or marked as a tool that is known would have it. Nothing is read, since there is more to do than nothing: name the files as one of the layouts that the message lists, or point at the folder that has them.',
  },
  LAYOUT_UNSUPPORTED: {
    exit: 2,
    http: 422,
    explain:
      'A migration is a program, or is written for another database. Only SQL can be planned, proved and kept: write what it runs as SQL beside it.',
  },
  HISTORY_UNKNOWN: {
    exit: 2,
    http: 404,
    explain:
      'The database has no history of a tool that can be adopted, or those of several. Name one with --from, or say the version with `plinth baseline`.',
  },
  HISTORY_NOT_ADOPTED: {
    exit: 3,
    http: 409,
    explain:
      'Another tool has applied files of this folder to the database, and Plinth knows nothing of it: running them again would do their work twice. Run `plinth adopt`, or set migrations.otherHistory to ignore where that history belongs to another folder.',
  },
  ADOPT_MISMATCH: {
    exit: 3,
    http: 409,
    explain:
      'The history of the other tool says one thing and the catalog another: applying the adopted files makes a different database. Nothing was written. Mend the difference, or take it over knowingly with --accept-drift.',
  },
  CHECKSUM_CHANGED: {
    exit: 5,
    http: 409,
    explain:
      'An applied migration was edited afterwards. What ran and what the file says are no longer the same: restore the file and write a new migration for the change.',
  },
  OUT_OF_ORDER: {
    exit: 5,
    http: 409,
    explain:
      'A pending migration is older than the newest applied one. Give it a newer version, or apply it with --allow-out-of-order after checking that it does not depend on order.',
  },
  FILE_GONE: {
    exit: 5,
    http: 409,
    explain: 'The history has an applied migration whose file is not in the folder any more.',
  },
  STEP_FAILED_BEFORE: {
    exit: 5,
    http: 409,
    explain:
      'This migration failed in an earlier run and has not changed since. Plinth does not repeat a failure unasked: edit the file, or run with --retry-failed.',
  },
  STEP_INTERRUPTED: {
    exit: 5,
    http: 409,
    explain:
      'A statement-wise migration stopped half-way, and the part that was applied has been edited since, so it cannot be resumed at its cursor.',
  },
  LEDGER_NEWER: {
    exit: 5,
    http: 409,
    explain: 'A newer release of Plinth wrote the history of this database, in a form that this release does not know.',
  },
  ROLLBACK_BLOCKED: {
    exit: 5,
    http: 409,
    explain:
      'Migrations that were applied later stand on what was to be taken back. The details list them with the objects that they share: take those back first.',
  },
  FLEET_FAILED: {
    exit: 1,
    http: 500,
    explain:
      'The command failed on at least one database of the fleet; the report has the cause of each. The others went on, unless the canary failed. Run it again: it does only what is missing.',
  },
  HOOK_REFUSED: {
    exit: 5,
    http: 409,
    explain:
      'A hook that runs before a run or a step said no, or did not answer in time. The run or step was not begun, so nothing of it was changed.',
  },
  HOOK_INVALID: {
    exit: 2,
    http: 400,
    explain:
      'A hook of the configuration cannot be called: its program or module is not there, or the module exports no function.',
  },
  TARGET_REQUIRED: {
    exit: 2,
    http: 400,
    explain: 'A rollback says how far: --to VERSION, --to 0, --steps N or --run ID.',
  },
  CONFIRMATION_REQUIRED: {
    exit: 5,
    http: 409,
    explain: 'The command can destroy data and no terminal is there to confirm it. Pass --yes after reading the plan.',
  },
  DIRECTIVE_UNKNOWN: {
    exit: 2,
    http: 422,
    explain:
      'A "-- plinth:" line at the head of a migration asks for something that is not known. A misspelt wish would otherwise be left out without a word.',
  },
  DIRECTIVE_INVALID: {
    exit: 2,
    http: 422,
    explain:
      'A "-- plinth:" line at the head of a migration has a value that its key does not take, or contradicts the file.',
  },
  CHECK_INVALID: {
    exit: 2,
    http: 422,
    explain:
      'A checks file is malformed. Each check is a line "-- check: <name> before|after [up|down]" and one query below it.',
  },
  CHECKS_WITHOUT_MIGRATION: {
    exit: 2,
    http: 409,
    explain: 'A .checks.sql has no .up.sql of the same version.',
  },
  CHECK_FAILED: {
    exit: 3,
    http: 409,
    explain:
      'A check of a migration found rows, and it must find none. Before a step nothing was changed; after a transactional step it was rolled back whole.',
  },
  BACKFILL_UNSUPPORTED: {
    exit: 2,
    http: 422,
    explain:
      'A statement cannot run in batches: its table has no primary key, or its meaning would change when it runs piece by piece. Nothing was changed.',
  },
  LOSS_NOT_ACCEPTED: {
    exit: 5,
    http: 409,
    explain:
      'A step would destroy data that Plinth cannot archive and its opposite could not bring back. The message names what and why. Change the migration, or accept the loss by name with --accept-loss VERSION.',
  },
  RESTORE_REFUSED: {
    exit: 5,
    http: 409,
    explain:
      'Rows were written between a step and its opposite, and the policy of the migration is to stop then; or what was archived does not fit what the step made; or its file asks for batches where values can only come back in one piece. Nothing was changed. The details name the keys.',
  },
  ARCHIVE_REFUSED: {
    exit: 5,
    http: 409,
    explain:
      'What a step would destroy cannot be archived: the role may not write the archive schema, or there is too little room. Nothing was changed.',
  },
  ARCHIVE_UNKNOWN: { exit: 2, http: 404, explain: 'There is no archive of that id, or it was purged.' },
  ARCHIVE_NEEDED: {
    exit: 5,
    http: 409,
    explain:
      'An archive still holds what the opposite of an applied step would bring back, so it is only purged when its version is named.',
  },
  SQL_SYNTAX: {
    exit: 1,
    http: 422,
    explain: 'A file has SQL that PostgreSQL cannot parse. Nothing was sent to the database.',
  },
  SQL_FAILED: {
    exit: 1,
    http: 422,
    explain:
      'The database refused a statement. A transactional migration was rolled back whole; a statement-wise one keeps its cursor and is resumed by the next run.',
  },
  SQL_UNSUPPORTED: {
    exit: 2,
    http: 422,
    explain:
      'A file uses a client feature, such as \\connect or COPY FROM STDIN without its rows, that only an interactive client can serve.',
  },
  CONSTRAINT_VIOLATED: {
    exit: 1,
    http: 422,
    explain: 'The database refused a row because of a constraint. The place names table and constraint.',
  },
  PERMISSION_DENIED: { exit: 1, http: 403, explain: 'The database role lacks a right that the statement needs.' },
  LINT_REFUSED: {
    exit: 4,
    http: 422,
    explain:
      'Lint found errors in what is pending, so nothing was begun and no lock was taken. Mend the migration; or allow the rule at the statement, with a reason: -- plinth:allow <rule> reason="…". What was written before anybody linted it stays as it is and goes to the baseline: plinth lint --all --update-baseline.',
  },
  DATABASE_UNREACHABLE: {
    exit: 7,
    http: 503,
    explain: 'No server answered at that address, or it closed the connection.',
  },
  DATABASE_AUTHENTICATION: { exit: 7, http: 503, explain: 'The server refused the user or the password.' },
  DATABASE_UNKNOWN: { exit: 7, http: 503, explain: 'The server has no database of that name.' },
  DATABASE_READ_ONLY: {
    exit: 5,
    http: 409,
    explain:
      'The database takes no changes from this session: it is a standby, or its role or database is read-only by default. Nothing was changed.',
  },
  SERVER_UNSUPPORTED: {
    exit: 2,
    http: 400,
    explain:
      'The server is older than what Plinth works with, and would fail in the middle of the work. The message names its version and the hint the oldest that is supported.',
  },
  DATABASE_URL_INVALID: {
    exit: 2,
    http: 400,
    explain:
      'The database URL cannot be read. Expected postgres://user@host:port/database, duckdb:path/to/file or bigquery://project/dataset.',
  },
  CONNECTION_LOST: {
    exit: 7,
    http: 503,
    explain:
      'The connection broke during the work. Changes that were not committed were rolled back by the server; run the command again.',
  },
  ENGINE_UNKNOWN: { exit: 2, http: 400, explain: 'No engine of that name is known.' },
  ENGINE_UNSUPPORTED: { exit: 2, http: 400, explain: 'The engine of this track cannot do what was asked.' },
  LOCK_TIMEOUT: {
    exit: 6,
    http: 409,
    explain:
      'Another run holds the lock of this track, or a statement did not get its lock in time after all retries. Safe to run again.',
  },
  STATEMENT_TIMEOUT: {
    exit: 6,
    http: 408,
    explain: 'A statement took longer than its timeout and was cancelled. Nothing of its transaction was kept.',
  },
  LEASE_LOST: {
    exit: 6,
    http: 409,
    explain: 'Another runner took over this lease while this one slept. This run changed nothing after that.',
  },
  WAREHOUSE_BUSY: {
    exit: 6,
    http: 409,
    explain: 'Another process has the warehouse file open. Only one process can open a DuckDB file at a time.',
  },
  WAREHOUSE_FAILED: {
    exit: 1,
    http: 500,
    explain:
      'The warehouse refused a statement. Its transaction was rolled back: no cell is half replaced and the cursor did not move.',
  },
  WAREHOUSE_QUOTA: {
    exit: 6,
    http: 429,
    explain:
      'The warehouse service has no quota left, or answered too often that it is busy. Nothing was kept and the cursor did not move. Safe to run again later.',
  },
  COST_CAP_EXCEEDED: {
    exit: 5,
    http: 409,
    explain:
      'A run or a job would bill more bytes than its cap allows, --bytes-max or maximumBytesBilled in the URL of the warehouse, so it was not run. Nothing was kept. Raise the cap, or change less at once.',
  },
  DISK_FULL: {
    exit: 1,
    http: 507,
    explain:
      'The disk of the server or of this machine is full. Nothing was kept of the transaction; free room and run again.',
  },
  INTERRUPTED: { exit: 130, http: 499, explain: 'The run was interrupted. What was open was rolled back.' },
  SERVER_START_FAILED: {
    exit: 1,
    http: 500,
    explain: 'The embedded PostgreSQL did not start. The place names its log.',
  },
  SERVER_MISSING: {
    exit: 1,
    http: 500,
    explain: 'The embedded PostgreSQL is not installed for this platform. Set DATABASE_URL to a server of your own.',
  },
  PORT_TAKEN: { exit: 1, http: 500, explain: 'The port that was asked for by name is taken by another program.' },
  DIFFERENCES_FOUND: {
    exit: 3,
    http: 409,
    explain:
      'A check found differences: pending migrations, drift, stale documents, failed assertions or unequal cells.',
  },
  VERIFY_FAILED: {
    exit: 3,
    http: 409,
    explain:
      'Apply, rollback and reapply did not come back to the same catalog: a down file does not undo its up file.',
  },
  REHEARSAL_FAILED: {
    exit: 1,
    http: 422,
    explain:
      'There was no server to rehearse on, or the migrations before the pending ones cannot be replayed there. Name another server with --rehearse-on, or set "rehearsal: preferred" to go on without.',
  },
  PRELUDE_FAILED: {
    exit: 1,
    http: 422,
    explain:
      'A file of the prelude, which makes on scratch databases what a platform gives outside of the migrations, cannot be run there. The place names file and line.',
  },
  SEED_INVALID: {
    exit: 2,
    http: 400,
    explain: 'A seed package is malformed, or names a table, column or reference that does not exist.',
  },
  SEED_REFUSED: {
    exit: 5,
    http: 409,
    explain: 'This environment is not marked seedable, so no demonstration data is written to it.',
  },
  PACKAGE_UNKNOWN: { exit: 2, http: 404, explain: 'There is no seed package of that name.' },
  KEY_MISSING: {
    exit: 2,
    http: 500,
    explain:
      'A key that protects values is not available. Set it in the environment or let `plinth up` make one for local use.',
  },
  CIPHER_INVALID: {
    exit: 1,
    http: 500,
    explain: 'A protected value cannot be decrypted: it was altered, belongs to another row, or its key was destroyed.',
  },
  TRANSFORM_INVALID: {
    exit: 2,
    http: 422,
    explain: 'A transform, macro or source of the analytics project is malformed. The place names file and line.',
  },
  SEAL_REFUSED: {
    exit: 5,
    http: 409,
    explain:
      'Hours cannot be sealed, or what is sealed cannot be changed in this way. The message says what stands in the way. Nothing was changed.',
  },
  SEAL_BROKEN: {
    exit: 3,
    http: 409,
    explain:
      'What is sealed is not what its seal says, or is not there: rows or seals of the warehouse were altered. Nothing was changed. Restore the warehouse from its backup, or look at the differences with `plinth reconcile --dry-run`.',
  },
  SOURCE_RESTORED: {
    exit: 5,
    http: 409,
    explain:
      'The source database is not the one that the warehouse cursor was taken from: restored, failed over or replaced.',
  },
  CLASSIFICATION_INVALID: {
    exit: 2,
    http: 422,
    explain: 'The classification file is malformed or names a column that does not exist.',
  },
  UNCLASSIFIED: {
    exit: 3,
    http: 409,
    explain: 'A column has no classification. Every column states its class, protection and retention.',
  },
  DOCS_STALE: {
    exit: 3,
    http: 409,
    explain:
      'A generated document differs from what the migrations make. Run `plinth docs generate` and commit the result.',
  },
} as const satisfies Record<string, { exit: number; http: number; explain: string }>

export type Code = keyof typeof codes

/** Where a failure is. Lines and columns count from 1. */
export interface Place {
  readonly file?: string
  readonly line?: number
  readonly column?: number
  /** The text that the place points into, so that a code frame can be drawn; never holds row data. */
  readonly source?: string
  /** What was touched, when there is no file: a table, a host, an option. */
  readonly object?: string
}

export interface PlinthErrorOptions {
  readonly at?: Place | undefined
  /** The next step, as one sentence that a person can act on. */
  readonly hint?: string | undefined
  /** Five characters of PostgreSQL's error code, when the database spoke. */
  readonly sqlState?: string | undefined
  /** Half-done work and other facts that belong to the failure. Plain JSON, without secrets and row data. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}

/** The only error that Plinth throws on purpose. Its message holds no secret and no row data. */
export class PlinthError extends Error {
  readonly code: Code
  readonly at: Place | undefined
  readonly hint: string | undefined
  readonly sqlState: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: Code, message: string, options: PlinthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PlinthError'
    this.code = code
    this.at = options.at
    this.hint = options.hint
    this.sqlState = options.sqlState
    this.details = options.details
  }

  get exitStatus(): number {
    return codes[this.code].exit
  }

  /** For documents: without the text around the place, which may hold literals, and without the stack. */
  toJSON(): Readonly<Record<string, unknown>> {
    const { source: _source, ...at } = this.at ?? {}
    const { code, message, hint, sqlState, details } = this
    return { code, message, at, hint, sqlState, details }
  }
}

/** Turns anything that was thrown into a PlinthError, so that callers handle one shape. */
export function asPlinthError(thrown: unknown): PlinthError {
  if (thrown instanceof PlinthError) return thrown
  if (isDiskFull(thrown)) {
    return new PlinthError('DISK_FULL', 'No space is left on the disk.', {
      cause: thrown,
      hint: 'Free some room, then run the command again.',
    })
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new PlinthError('INTERNAL', message, {
    cause: thrown,
    hint: 'Run again with --verbose and report what it prints.',
  })
}

/** The nearest of the known names, for "did you mean"; undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map(candidate => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined
}

function isDiskFull(thrown: unknown): boolean {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    'code' in thrown &&
    (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT' || thrown.code === 'EFBIG')
  )
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}

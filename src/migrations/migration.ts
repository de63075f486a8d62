/** The nouns of this part: a migration as the folder has it, and what the history knows about its version. */
import type { Direction } from '../telemetry/event.ts'

/** One file of a migration. */
export interface MigrationFile {
  /** Path as it was given, for people and for errors. */
  readonly file: string
  /** Text without a byte order mark. */
  readonly text: string
  /** SHA-256 of the exact bytes, in hexadecimal. */
  readonly checksum: string
}

export interface Migration {
  /** As written in the file name, such as `202601010000` or `1`. */
  readonly version: string
  readonly slug: string
  readonly up: MigrationFile
  /** Null when it was not written, which is an error once the migration is to be applied. */
  readonly down: MigrationFile | null
}

export interface MigrationFolder {
  readonly folder: string
  /** Ordered by the number of their version. */
  readonly migrations: readonly Migration[]
  /** Files that look like a migration but are none, one sentence each. */
  readonly warnings: readonly string[]
}

/** What happened to a version so far; see history.ts. */
export interface VersionHistory {
  readonly version: string
  readonly slug: string
  /** What the last successful attempt left; `pending` when there was none, or it was a rollback. */
  readonly state: 'applied' | 'pending'
  /** The last successful attempt upwards, while its effect lasts. */
  readonly applied: Attempt | null
  /** An attempt after the last success, which failed or stopped half-way; null when there is none. */
  readonly unfinished: Attempt | null
}

export type AttemptStatus = 'applying' | 'applied' | 'rolling_back' | 'rolled_back' | 'failed'

export interface Attempt {
  readonly id: string
  readonly runId: string
  readonly version: string
  readonly slug: string
  /** Counts from 1 within the track; the order in which things happened. */
  readonly number: number
  readonly direction: Direction
  readonly status: AttemptStatus
  readonly upChecksum: string | null
  readonly downChecksum: string | null
  /** The down SQL is stored, so that it can be rolled back without its file. */
  readonly downStored: boolean
  /** Statements that are done, of a statement-wise attempt; 0 for a transactional one. */
  readonly cursor: number
  /** One hash over the statements that are done; null before the first. */
  readonly prefixHash: string | null
  readonly actor: string
  readonly host: string
  /** ISO 8601 in UTC. */
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly durationMs: number | null
  readonly errorCode: string | null
  readonly sqlState: string | null
  readonly errorLine: number | null
  readonly rows: number | null
  readonly tables: readonly string[]
  /** What was kept to recognise a statement after a crash; null when nothing was. */
  readonly note: unknown
}

/** Orders versions by their number; `7` and `007` are the same version. */
export function compareVersions(a: string, b: string): number {
  const left = BigInt(a)
  const right = BigInt(b)
  return left < right ? -1 : left > right ? 1 : 0
}

/** The version without leading zeros, as a key. */
export function versionKey(version: string): string {
  return BigInt(version).toString()
}

/** `202601010000_create_users`, for messages. */
export function label({ version, slug }: { readonly version: string; readonly slug: string }): string {
  return `${version}_${slug}`
}

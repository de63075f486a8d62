/** The nouns of this part: a migration as the folder has it, and what the history knows about its version. */
import { type Direction, nameOfStep } from '../telemetry/event.ts'

/** One file of a migration. */
export interface MigrationFile {
  /** Path as it was given, for people and for errors. */
  readonly file: string
  /** Text without a byte order mark. */
  readonly text: string
  /** The text before its placeholders were filled in, where it had any. */
  readonly written?: string
  /** SHA-256 of the exact bytes, in hexadecimal. */
  readonly checksum: string
  /** The file asks to run without a transaction around it, whatever its statements are. */
  readonly transaction?: 'none'
}

export interface Migration {
  /** As written in the file name, such as `202601010000` or `1`. */
  readonly version: string
  readonly slug: string
  readonly up: MigrationFile
  /** Null when it was not written, which is an error once the migration is to be applied. */
  readonly down: MigrationFile | null
  /** Its `.checks.sql`; see checks.ts. */
  readonly checks?: MigrationFile | null
  /** Its layout knows no downs, so one without can be applied; it cannot be rolled back then. */
  readonly upOnly?: boolean
  /** As the history of the tool that it was written for has it, where that is more than the version. */
  readonly foreignName?: string
  /** Of a repeatable, whose version is `R__` and its name: when it runs again. */
  readonly repeats?: Repeats
}

/** `always` runs behind every run that applies, whether it changed or not. */
export type Repeats = 'when changed' | 'always'

export interface MigrationFolder {
  readonly folder: string
  /** Ordered by the number of their version. */
  readonly migrations: readonly Migration[]
  /** Files that look like a migration but are none, one sentence each. */
  readonly warnings: readonly string[]
  /** How its files are named and divided, such as `pairs` or `goose`. */
  readonly layout?: string
  /** What runs behind the versions, and again whenever it changed; in the order of the names. */
  readonly repeatables?: readonly Migration[]
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

/** True of what stands in the place of a version for a repeatable: `R__views`. */
export function isRepeatable(version: string): boolean {
  return version.startsWith(repeatablePrefix)
}

export const repeatablePrefix = 'R__'

/**
 * Orders versions by their numbers, part by part: `7` and `007` are the same version, and so are `1.2` and `1.2.0`. Repeatables come behind them, by
 * their names.
 */
export function compareVersions(a: string, b: string): number {
  if (isPlain(a) && isPlain(b)) return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
  if (isRepeatable(a) || isRepeatable(b)) return compareRepeatables(a, b)
  const left = numbersOf(a)
  const right = numbersOf(b)
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const one = left[at] ?? 0n
    const other = right[at] ?? 0n
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}

/** The version without zeros that say nothing, as a key. */
export function versionKey(version: string): string {
  if (isPlain(version) || isRepeatable(version)) return version
  return numbersOf(version)
    .join('.')
    .replace(/(?:\.0)+$/, '')
}

/** An underline stands for a space in a name, and counts as one. */
function compareRepeatables(a: string, b: string): number {
  if (isRepeatable(a) !== isRepeatable(b)) return isRepeatable(a) ? 1 : -1
  const [left, right] = [a.replaceAll('_', ' '), b.replaceAll('_', ' ')]
  return left < right ? -1 : left > right ? 1 : 0
}

/** One number without leading zeros, as nearly all are: its text says it all, and thousands are compared. */
function isPlain(version: string): boolean {
  return /^[1-9]\d*$/.test(version)
}

/** Numbers with dots between them; what a person typed may be anything else. */
export function isVersion(text: string): boolean {
  return /^\d+(?:\.\d+)*$/.test(text)
}

/** False when either is no version; repeatables are known by their names. */
export function isSameVersion(a: string, b: string): boolean {
  return isVersion(a) && isVersion(b) ? versionKey(a) === versionKey(b) : isRepeatable(a) && a === b
}

function numbersOf(version: string): bigint[] {
  return version.split('.').map(BigInt)
}

/** `202601010000_create_users` or `R__views`, for messages. */
export function label({ version, slug }: { readonly version: string; readonly slug: string }): string {
  return nameOfStep({ version, slug })
}

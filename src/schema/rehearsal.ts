/**
 * What really happened when steps ran on a scratch database, as plain data: migrations record it, lint judges by it, plans show it. It holds
 * no literal and no row. Names of relations are `schema.name`, as the schema model spells them.
 */
import type { Schema } from './model.ts'

export interface Rehearsal {
  readonly format: 1
  /** Major version of the server that it ran on, such as 18. */
  readonly serverVersion: number
  /** What could not be seen and why, in whole sentences, such as an extension that the scratch server lacks. */
  readonly gaps: readonly string[]
  /** The catalog that the history made, before the first step; and behind the last one that ran. */
  readonly before: Schema
  readonly after: Schema
  readonly steps: readonly RehearsedStep[]
}

export interface RehearsedStep {
  readonly version: string
  readonly direction: 'up' | 'down'
  readonly file: string | null
  /** The catalog behind the step; behind its last good statement when it failed. */
  readonly after: Schema
  /** In the order of the file; those behind a failed one are missing. */
  readonly statements: readonly RehearsedStatement[]
  readonly failure: RehearsalFailure | null
}

export interface RehearsedStatement {
  /** Counts from 0 in the order of the file. */
  readonly index: number
  readonly durationMs: number
  /** The strongest lock that it took on each relation that was there before its step, without those of statements before it. */
  readonly locks: readonly RelationLock[]
  /** Tables, materialized views and indexes from before the step whose storage it wrote anew. */
  readonly rewrites: readonly string[]
  /** Tables from before the step that it read row by row from end to end, such as to validate a constraint. */
  readonly scans: readonly string[]
  /** Tables from before the step that it emptied by giving them new storage, which is neither a rewrite nor a scan. */
  readonly truncates: readonly string[]
  /** Rows that it inserted, updated and deleted, by table; tables without any are left out. */
  readonly rows: readonly RowCounts[]
  /** What it made, altered and dropped, sorted by kind and name; also what a `do` block, a function or a cascade did. */
  readonly changes: readonly ObjectChange[]
  /** It ran outside any transaction. */
  readonly bare: boolean
}

/** Weakest first; the order carries meaning. Spelled as `pg_locks.mode` does. */
export const lockModes = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
] as const
export type LockMode = (typeof lockModes)[number]

export interface RelationLock {
  readonly relation: string
  readonly kind: 'table' | 'index' | 'view' | 'materialized view' | 'sequence' | 'foreign table'
  readonly mode: LockMode
}

export interface RowCounts {
  readonly table: string
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

export interface ObjectChange {
  readonly action: 'create' | 'alter' | 'drop'
  readonly kind: ObjectKind
  /** `schema.name`; for what belongs to a table `schema.table.name`; for a routine `schema.name(arguments)`; a role or extension by its name. */
  readonly name: string
  /** The table, view or domain that it belongs to, as `schema.name`; null for what stands alone. */
  readonly of: string | null
  /** Where it got another name or schema: how it is called now. `name` is the one that it had. */
  readonly newName?: string
}

export type ObjectKind =
  | 'schema'
  | 'table'
  | 'column'
  | 'constraint'
  | 'index'
  | 'trigger'
  | 'policy'
  | 'view'
  | 'materialized view'
  | 'sequence'
  | 'enum'
  | 'enum value'
  | 'domain'
  | 'type'
  | 'routine'
  | 'extension'
  | 'grant'
  | 'comment'
  | 'other'

/** A statement that the database refused. */
export interface RehearsalFailure {
  readonly statement: number
  readonly sqlState: string | null
  /** Without values. */
  readonly message: string
  readonly hint: string | null
  /** In the file, counted from 1. */
  readonly line: number
  readonly column: number
}

/** How strong a mode is: a higher number shuts out more. */
export function lockStrength(mode: LockMode): number {
  return lockModes.indexOf(mode)
}

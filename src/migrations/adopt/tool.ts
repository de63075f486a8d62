/** What is asked of a tool whose history is taken over. One file a tool; none of them writes, and their tables stay as they are. */
import type { Session } from '../../engines/engine.ts'
import { quotedName } from '../../sql/tree.ts'
import type { LayoutName } from '../layouts/layout.ts'
import type { MigrationFile } from '../migration.ts'

export type ToolName =
  | 'golang-migrate'
  | 'goose'
  | 'dbmate'
  | 'flyway'
  | 'node-pg-migrate'
  | 'graphile-migrate'
  | 'prisma'
  | 'sqlx'
  | 'supabase'
  | 'diesel'
  | 'sql-migrate'
  | 'atlas'

export interface ForeignTool {
  readonly name: ToolName
  readonly layout: LayoutName
  /** The table of its history, as it is named unless somebody chose another name. */
  readonly table: string
  /** Columns that the table has, so that a table of the same name is not taken for it. */
  readonly columns: readonly string[]
  /** Columns that it does not have, since another tool's table of the same name does. */
  readonly without?: readonly string[]
  read(session: Session, table: string): Promise<ForeignHistory>
}

export interface ForeignHistory {
  /** What it says is applied, one row a version. */
  readonly applied: readonly ForeignRow[]
  /** Every file up to and with this version is applied as well, of a tool that keeps the newest only; null where each has a row. */
  readonly upTo: string | null
  /** True where `upTo` says what the database had before the tool came, so that no file need have that version. */
  readonly isBaseline?: true
  /** Schemas that the tool made before its first file, beside the one of its table. */
  readonly schemas?: readonly string[]
  /** What it does not know itself; null when it is sure. */
  readonly doubt: Doubt | null
  readonly notices: readonly string[]
}

export interface ForeignRow {
  readonly version: string
  /** ISO 8601 in UTC, where it was written down. */
  readonly at: string | null
  readonly by: string | null
  /** Whether the file is still what ran; always true where the tool kept no checksum. */
  readonly unchanged: (file: MigrationFile) => boolean
}

export interface Doubt {
  readonly version: string
  /** `failed up`: it or nothing of it. `unknown direction`: it, nothing of it, or also the version behind it. */
  readonly kind: 'failed up' | 'unknown direction'
  /** What the mark means, as one sentence. */
  readonly meaning: string
}

export const unchecked = () => true

/** `schema.table`, quoted. */
export function quotedTable({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return quotedName([schema, name])
}

/** The digits that a file's or folder's name begins with; null when there are none. */
export function leadingVersion(name: string): string | null {
  return /^\d+/.exec(name)?.[0] ?? null
}

/** What is asked of a tool whose history is taken over. One file a tool; none of them writes, and their tables stay as they are. */
import type { Session } from '../../engines/engine.ts'
import { quotedName } from '../../sql/tree.ts'
import type { LayoutName } from '../layouts/layout.ts'
import { isVersion, type Migration, type MigrationFile, type MigrationFolder, versionKey } from '../migration.ts'

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
  | 'drizzle'
  | 'sqitch'
  | 'evolutions'
  | 'yoyo'
  | 'liquibase'
  | 'tern'

export interface ForeignTool {
  readonly name: ToolName
  readonly layout: LayoutName
  /** The table of its history, as it is named unless somebody chose another name. */
  readonly table: string
  /** Columns that the table has, so that a table of the same name is not taken for it. */
  readonly columns: readonly string[]
  /** Columns that it does not have, since another tool's table of the same name does. */
  readonly without?: readonly string[]
  /** Tables that it makes beside that one, in the same schema. */
  readonly beside?: readonly string[]
  /** It makes the schema of its table, and everything there is its own. */
  readonly ownsSchema?: true
  read(session: Session, table: string): Promise<ForeignHistory>
  /** Where its rows are of something else than files: what they say of these. */
  settle?(history: ForeignHistory, folder: Files): ForeignHistory
}

export type Files = Pick<MigrationFolder, 'migrations' | 'repeatables'>

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
  /** What was run again whenever it changed, one row each; a version is `R__` and the name. Absent of a tool that has none. */
  readonly repeatables?: readonly ForeignRow[]
  readonly notices: readonly string[]
}

export interface ForeignRow {
  readonly version: string
  /** By what it tells migrations, where that is not the version; see `inVersionsOf`. */
  readonly name?: string
  /** ISO 8601 in UTC, where it was written down. */
  readonly at: string | null
  readonly by: string | null
  /** Whether the file is still what ran; always true where the tool kept no checksum. */
  readonly unchanged: (file: MigrationFile) => boolean
}

export interface Doubt {
  readonly version: string
  /** As a row has it. */
  readonly name?: string
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

/** A history of names, in the versions that the folder has for them; a file that is found by no name may be found by its checksum. */
export function inVersionsOf(history: ForeignHistory, migrations: readonly Migration[]): ForeignHistory {
  const named = new Map(
    migrations.flatMap(({ foreignName, version }) => (foreignName === undefined ? [] : [[foreignName, version]])),
  )
  const versions = new Set(migrations.map(({ version }) => versionKey(version)))
  const applied = history.applied.map(row => {
    if (row.name === undefined) return row
    const version = named.get(row.name)
    if (version !== undefined) return { ...row, version }
    if (row.unchanged === unchecked || (isVersion(row.version) && versions.has(versionKey(row.version)))) return row
    return { ...row, version: migrations.find(one => row.unchanged(one.up))?.version ?? row.version }
  })
  const { doubt } = history
  const doubtful = doubt?.name === undefined ? undefined : named.get(doubt.name)
  return { ...history, applied, doubt: doubt && doubtful ? { ...doubt, version: doubtful } : doubt }
}

/** The digits that a file's or folder's name begins with; null when there are none. */
export function leadingVersion(name: string): string | null {
  return /^\d+/.exec(name)?.[0] ?? null
}

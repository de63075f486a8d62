/** What a layout of a folder is asked: which files are its own, and what they mean. */
import { PlinthError } from '../../errors.ts'
import type { Direction } from '../../telemetry/event.ts'
import type { MigrationFile, Repeats } from '../migration.ts'

export type LayoutName =
  | 'pairs'
  | 'goose'
  | 'sql-migrate'
  | 'dbmate'
  | 'node-pg-migrate'
  | 'flyway'
  | 'prisma'
  | 'graphile-migrate'
  | 'drizzle'
  | 'sqitch'
  | 'evolutions'
  | 'folders'
  | 'plain'

/** A folder's names, and the way to its texts; each file is read once. */
export interface Listing {
  readonly folder: string
  /** Names of files, sorted. */
  readonly files: readonly string[]
  /** Names of folders, sorted. */
  readonly folders: readonly string[]
  /** Of placeholders, by their names, where somebody knows more than the folder. */
  readonly values?: ReadonlyMap<string, string>
  /** Throws FILE_UNREADABLE. */
  read(name: string): Promise<MigrationFile>
  /** A folder below. Throws FOLDER_NOT_FOUND. */
  below(name: string): Promise<Listing>
}

export interface Layout {
  readonly name: LayoutName
  /** How its files look, for messages. */
  readonly looks: string
  /** The files of the folder that are of this layout and of no other. */
  claims(listing: Listing): Promise<readonly string[]>
  load(listing: Listing): Promise<Loaded>
}

export interface Loaded {
  readonly parts: readonly Part[]
  /** True where the layout knows no downs, so that one without is complete. */
  readonly upOnly: boolean
  /** What is run again whenever it changed, beside the files that every layout may have; see repeatables.ts. */
  readonly repeatables: readonly RepeatablePart[]
  readonly warnings: readonly string[]
}

export interface RepeatablePart {
  /** What stands behind `R__`. */
  readonly slug: string
  /** As the folder has it, for messages. */
  readonly name: string
  readonly content: MigrationFile
  readonly repeats: Repeats
}

/** One direction of a migration. */
export interface Part {
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  /** As the folder has it, for messages. */
  readonly name: string
  /** As the tool's own history has it, where that is more than the version. */
  readonly foreignName?: string
  readonly content: MigrationFile
}

/** Names that begin with a number: `007_create_users.sql`. */
export function readNumber(name: string, ending: RegExp): { readonly version: string; readonly slug: string } | null {
  if (!ending.test(name)) return null
  const match = /^(\d+)(?:[_-](.*))?$/.exec(name.replace(ending, ''))
  return match ? { version: match[1] ?? '', slug: match[2] ?? '' } : null
}

/** Throws LAYOUT_UNSUPPORTED at a file that is a program, unless a file of SQL with the same version stands in for it. */
export function refusePrograms(listing: Listing, versions: ReadonlySet<string>): void {
  for (const name of listing.files) {
    const found = readNumber(name, /\.(?:[cm]?[jt]s|go|py|rb|java|kt|exs?|php|cs|scala|groovy|rs|pl)$/)
    if (!found || name.endsWith('.d.ts') || versions.has(BigInt(found.version).toString())) continue
    throw new PlinthError(
      'LAYOUT_UNSUPPORTED',
      `${name} is a program, and only its SQL can be planned, proved and kept.`,
      {
        at: { file: `${listing.folder}/${name}` },
        hint: `Write the SQL that it runs to a file of the same version beside it, such as ${found.version}_${found.slug || 'name'}.sql in the form of the others; most tools print it on a dry run.`,
      },
    )
  }
}

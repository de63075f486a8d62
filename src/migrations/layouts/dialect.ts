/** Several dialects beside each other: in folders named after them, or in files that carry their name. */
import { PlinthError } from '../../errors.ts'
import type { Listing } from './layout.ts'

const dialects = {
  postgres: ['postgres', 'postgresql', 'pg', 'psql', 'pgsql'],
  duckdb: ['duckdb'],
  bigquery: ['bigquery', 'bq', 'googlesql'],
  mysql: ['mysql', 'mariadb'],
  sqlite: ['sqlite', 'sqlite3'],
  mssql: ['mssql', 'sqlserver'],
  oracle: ['oracle'],
  clickhouse: ['clickhouse'],
  cockroach: ['cockroach', 'cockroachdb'],
} as const

const known = new Map<string, string>(
  Object.entries(dialects).flatMap(([dialect, names]) => names.map(name => [name, dialect] as const)),
)

export interface Chosen {
  readonly listing: Listing
  readonly warnings: readonly string[]
}

/**
 * The files of one dialect. Files beside the folders are for every dialect that has no folder of its own. Throws FOLDER_NOT_FOUND where there
 * are only others, and LAYOUT_AMBIGUOUS where two folders are of the same.
 */
export async function chooseDialect(listing: Listing, dialect: string): Promise<Chosen> {
  const named = listing.folders.filter(name => known.has(name.toLowerCase()))
  const ownFiles = listing.files.some(name => /^[VUBR]?\d.*\.sql$/i.test(name))
  const own = named.filter(name => known.get(name.toLowerCase()) === dialect)
  const [first, second] = own
  if (named.length === 0 || (ownFiles && first === undefined)) return filesOf(listing, dialect)
  if (first === undefined)
    throw new PlinthError(
      'FOLDER_NOT_FOUND',
      `${listing.folder} has migrations for ${named.join(' and ')}, and none for ${dialect}.`,
      {
        at: { file: listing.folder },
        hint: 'Point --dir, or the folder of the track, at the one that this database understands.',
        details: { folders: named },
      },
    )
  if (second !== undefined)
    throw new PlinthError(
      'LAYOUT_AMBIGUOUS',
      `${listing.folder} has ${own.join(' and ')}, which are of the same dialect.`,
      {
        at: { file: listing.folder },
        hint: `Name one: --dir ${listing.folder}/${first}.`,
        details: { folders: own },
      },
    )
  const { listing: inner, warnings } = filesOf(await listing.below(first), dialect)
  return { listing: inner, warnings: ownFiles ? warnings : [`${inner.folder} was taken for ${dialect}.`, ...warnings] }
}

/** `001_users.pg.sql` and `001_users.postgres.up.sql` become `001_users.sql` and `001_users.up.sql`; those of other dialects are left out. */
function filesOf(listing: Listing, dialect: string): Chosen {
  const original = new Map<string, string>()
  const others = new Set<string>()
  for (const name of listing.files) {
    const marked = markOf(name)
    if (marked === null) original.set(name, name)
    else if (marked.dialect === dialect) original.set(marked.plain, name)
    else others.add(marked.dialect)
  }
  if (original.size === listing.files.length && others.size === 0 && [...original].every(([a, b]) => a === b))
    return { listing, warnings: [] }
  const chosen: Listing = {
    ...listing,
    files: [...original.keys()].sort(),
    read: name => listing.read(original.get(name) ?? name),
  }
  const warnings = others.size === 0 ? [] : [`Files for ${[...others].sort().join(' and ')} are left out.`]
  return { listing: chosen, warnings }
}

/** Most names have none, which is faster to tell. */
const marks = new RegExp(`\\.(?:${[...known.keys()].join('|')})\\.`, 'i')

/** The dialect may stand before or behind the direction. */
function markOf(name: string): { readonly dialect: string; readonly plain: string } | null {
  if (!marks.test(name)) return null
  const match = /^(.*?)\.(?:([a-z0-9]+)(\.up|\.down)?|(up|down)\.([a-z0-9]+))\.sql$/i.exec(name)
  if (!match) return null
  const [, stem = '', before, direction = '', ahead, behind] = match
  const dialect = known.get((before ?? behind ?? '').toLowerCase())
  if (dialect === undefined) return null
  return { dialect, plain: `${stem}${ahead === undefined ? direction : `.${ahead}`}.sql` }
}

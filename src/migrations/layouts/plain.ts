/**
 * `<version>_<name>.sql` and nothing that says more: sqlx, Supabase, Atlas, Drizzle and what people number by hand. Upwards only, unless
 * `<version>_<name>.down.sql` is beside it.
 */
import type { MigrationFile } from '../migration.ts'
import { type Layout, type Listing, type Part, refusePrograms } from './layout.ts'

export const plain: Layout = {
  name: 'plain',
  looks: 'named <version>_<name>.sql',
  claims: async listing => listing.files.filter(isUp),
  async load(listing) {
    const parts = await Promise.all(
      listing.files.flatMap(name => {
        const direction = isUp(name) ? 'up' : isDown(name) ? 'down' : null
        const found = direction && readOrdered(name.replace(/(?:\.down)?\.sql$/, ''))
        if (!found) return []
        return [listing.read(name).then((content): Part => ({ ...found, direction, name, content: asAsked(content) }))]
      }),
    )
    refusePrograms(
      listing,
      new Set(parts.flatMap(({ version }) => (/^\d+$/.test(version) ? [`${BigInt(version)}`] : []))),
    )
    const warnings = listing.files
      .filter(name => /\.sql$/i.test(name) && !isUp(name) && !isDown(name) && !/^\d.*\.checks\.sql$/.test(name))
      .map(name => `${name} is not named <version>_<name>.sql, so it is left out.`)
    return { parts, upOnly: true, repeatables: [], warnings }
  },
}

/** True where every down stands beside a file without a direction, so that the folder is not one of pairs. */
export function isPlain({ files }: Pick<Listing, 'files'>): boolean {
  return (
    files.some(isUp) &&
    !files.some(name => name.endsWith('.up.sql')) &&
    files.every(name => !isDown(name) || files.includes(name.replace(/\.down\.sql$/, '.sql')))
  )
}

/**
 * What orders a file or a folder by its name: `007_users`, `1.2.0_users`, and what people put behind the first number when it alone does not tell
 * two apart, as a further part: `00.05.00_02_users`, and a date with its time, `20240131_0930_users`. Diesel's dashes stand for nothing.
 */
export function readOrdered(stem: string): { readonly version: string; readonly slug: string } | null {
  for (const form of forms) {
    const match = form.exec(stem)
    if (!match) continue
    const [whole, version = ''] = match
    const joined = form === dashed ? version.replaceAll('-', '') : version.replace(/[_-]/g, '.')
    return { version: joined, slug: stem.slice(whole.length) }
  }
  return null
}

const dashed = /^(\d{4}-\d\d-\d\d-\d{6})(?:[_-]+|$)/
const forms = [
  dashed,
  /^((?:19|20)\d\d[01]\d[0-3]\d[_-][0-2]\d[0-5]\d(?:[0-5]\d)?)(?:[_-]+|$)/,
  /^(\d+(?:\.\d+)+(?:[_-]\d+(?=[_-]|$))*)(?:[_-]+|$)/,
  /^(\d+)(?:[_-]+|$)/,
]

function isUp(name: string): boolean {
  return !/\.(?:up|down|checks)\.sql$/.test(name) && name.endsWith('.sql') && readOrdered(name.slice(0, -4)) !== null
}

function isDown(name: string): boolean {
  return name.endsWith('.down.sql') && readOrdered(name.replace(/\.down\.sql$/, '')) !== null
}

/** sqlx and Atlas ask for no transaction at the top of the file. */
function asAsked(content: MigrationFile): MigrationFile {
  return /^--[ \t]*(?:no-transaction\b|atlas:txmode[ \t]+none\b)/m.test(headOf(content.text))
    ? { ...content, transaction: 'none' }
    : content
}

/** The comments before the first statement. */
function headOf(text: string): string {
  return /^(?:\s*(?:--[^\n]*)?(?:\n|$))*/.exec(text)?.[0] ?? ''
}

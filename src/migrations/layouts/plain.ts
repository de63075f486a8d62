/**
 * `<version>_<name>.sql` and nothing that says more: sqlx, Supabase, Atlas, Drizzle and what people number by hand. Upwards only, unless
 * `<version>_<name>.down.sql`, or `.rollback.sql` as yoyo has it, is beside it, or the line of tern divides the file.
 */
import type { MigrationFile, Repeats } from '../migration.ts'
import { isLiquibase, readLiquibase } from './liquibase.ts'
import { type Layout, type Listing, type Part, refusePrograms, type RepeatablePart } from './layout.ts'
import { refuseAt } from './sections.ts'
import { divideTern, openTern } from './tern.ts'

export const plain: Layout = {
  name: 'plain',
  looks: 'named <version>_<name>.sql',
  claims: async listing => listing.files.filter(isUp),
  async load(listing) {
    const rendered = await openTern(listing)
    const read = await Promise.all(
      listing.files.flatMap(name => {
        const direction = isUp(name) ? 'up' : isDown(name) ? 'down' : null
        const found = direction && readOrdered(name.replace(/(?:\.down|\.rollback)?\.sql$/, ''))
        if (!found) return []
        const parted = (content: MigrationFile) =>
          isUp(name) ? bothOf(content) : [{ direction: 'down', content: asAsked(content) } satisfies Read]
        return [
          listing
            .read(name)
            .then(rendered)
            .then(read => parted(read).map(part => ({ ...found, ...part, name }))),
        ]
      }),
    ).then(all => all.flat())
    const parts = read.filter((part): part is Part & Read => part.repeats === undefined)
    // Behind the versions they keep the order of their numbers.
    const repeatables = read.flatMap(({ repeats, name, content }): RepeatablePart[] =>
      repeats === undefined ? [] : [{ slug: name.slice(0, -4), name, content, repeats }],
    )
    refusePrograms(
      listing,
      new Set(read.flatMap(({ version }) => (/^\d+$/.test(version) ? [`${BigInt(version)}`] : []))),
    )
    const warnings = listing.files
      .filter(name => /\.sql$/i.test(name) && !isUp(name) && !isDown(name) && !/^\d.*\.checks\.sql$/.test(name))
      .map(name => `${name} is not named <version>_<name>.sql, so it is left out.`)
    return { parts, upOnly: true, repeatables, warnings }
  },
}

/** True where every down stands beside a file without a direction, so that the folder is not one of pairs. */
export function isPlain({ files }: Pick<Listing, 'files'>): boolean {
  return (
    files.some(isUp) &&
    !files.some(name => name.endsWith('.up.sql')) &&
    files.every(name => !isDown(name) || files.includes(name.replace(back, '.sql')))
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
/** yoyo's, with the number of the day and five characters that somebody drew. */
const ofDay = /^(\d{8}_\d\d)_(?=[A-Za-z0-9]{5}(?:-|$))/
const forms = [
  dashed,
  ofDay,
  /^((?:19|20)\d\d[01]\d[0-3]\d[_-][0-2]\d[0-5]\d(?:[0-5]\d)?)(?:[_-]+|$)/,
  /^(\d+(?:\.\d+)+(?:[_-]\d+(?=[_-]|$))*)(?:[_-]+|$)/,
  /^(\d+)(?:[_-]+|\.(?=\p{L})|$)/u,
]

function isUp(name: string): boolean {
  return (
    !/\.(?:up|down|rollback|checks)\.sql$/.test(name) &&
    name.endsWith('.sql') &&
    readOrdered(name.slice(0, -4)) !== null
  )
}

function isDown(name: string): boolean {
  return back.test(name) && readOrdered(name.replace(back, '')) !== null
}

const back = /\.(?:down|rollback)\.sql$/

interface Read extends Pick<Part, 'direction' | 'content'> {
  /** Of a file that runs again. */
  readonly repeats?: Repeats
}

function bothOf(source: MigrationFile): Read[] {
  const divided = divideTern(source)
  if (divided) {
    const [up, down] = divided
    return [
      { direction: 'up', content: asAsked(up) },
      { direction: 'down', content: asAsked(down) },
    ]
  }
  if (isLiquibase(source)) {
    const { up, down, repeats } = readLiquibase(source)
    if (repeats !== null) return [{ direction: 'up', content: up, repeats }]
    return [{ direction: 'up', content: up }, ...(down === null ? [] : [{ direction: 'down' as const, content: down }])]
  }
  refuseDown(source)
  return [{ direction: 'up', content: asAsked(source) }]
}

/** A way back under a heading that nobody here knows would run behind the way there, and undo it. */
function refuseDown(source: MigrationFile): void {
  const lines = source.text.split('\n')
  const at = lines.findIndex(line => heading.test(line))
  if (at < 0 || !lines.slice(at + 1).some(line => /^\s*(?!--)\S/.test(line))) return
  throw refuseAt(
    source,
    at,
    'has a way back under a heading of another tool',
    'Move what is below it to a file of the same name that ends in .down.sql.',
  )
}

/** Signs, a word or two, and nothing else: `-- @UNDO`, `--- Down ---`, `-- rambler down`. */
const heading =
  /^\s*--[^\w\s]*\s*(?:[^\w\s]*\w+[ \t]+)?[^\w\s]*(?:down|undo|rollback|revert)(?:[ \t]+migration)?[^\w]*$/i

/** sqlx, Atlas and yoyo ask for no transaction at the top of the file. */
function asAsked(content: MigrationFile): MigrationFile {
  return /^--[ \t]*(?:no-transaction\b|atlas:txmode[ \t]+none\b|transactional:[ \t]*false\b)/m.test(
    headOf(content.text),
  )
    ? { ...content, transaction: 'none' }
    : content
}

/** The comments before the first statement. */
function headOf(text: string): string {
  return /^(?:\s*(?:--[^\n]*)?(?:\n|$))*/.exec(text)?.[0] ?? ''
}

/** graphile-migrate: `committed/000001.sql`, chained by `--! Previous` and `--! Hash`; upwards only, unless `000001.down.sql` is beside it. */
import { type Layout, type Listing, type Part, readNumber } from './layout.ts'
import { fillIn, readPlaceholders } from './placeholders.ts'

export const graphileMigrate: Layout = {
  name: 'graphile-migrate',
  looks: 'with --! Previous in the file',
  async claims(listing) {
    const home = await committed(listing)
    const read = await Promise.all(
      home.files.map(async name =>
        !/\.(?:up|down)\.sql$/.test(name) && readNumber(name, /\.sql$/) && header.test((await home.read(name)).text)
          ? [name]
          : [],
      ),
    )
    const isBegun = listing.folders.includes('committed') && listing.files.includes('current.sql')
    return isBegun ? [...read.flat(), 'current.sql'] : read.flat()
  },
  async load(listing) {
    const home = await committed(listing)
    const parts: Part[] = []
    const values = await readPlaceholders(listing)
    for (const name of home.files) {
      const ending = name.endsWith('.down.sql') ? /\.down\.sql$/ : /\.sql$/
      const named = readNumber(name, ending)
      if (!named) continue
      const content = fillIn(await home.read(name), values, /(?<![:\w]):([A-Z][A-Z0-9_]+)\b/g, isNoPlaceholder)
      parts.push({
        ...named,
        direction: ending.source.includes('down') ? 'down' : 'up',
        name,
        content: /^--! no-transaction\b/m.test(content.text) ? { ...content, transaction: 'none' } : content,
      })
    }
    return { parts, upOnly: true, repeatables: [], warnings: await uncommitted(listing) }
  },
}

const header = /^--! Previous: /m

/** The project names what it fills in; of what it does not name, only these are always filled in. */
const isNoPlaceholder = (name: string) => !name.startsWith('DATABASE_')

async function committed(listing: Listing): Promise<Listing> {
  return listing.folders.includes('committed') ? listing.below('committed') : listing
}

/** What is being written may be in the database already, since the tool runs it on every save. */
async function uncommitted(listing: Listing): Promise<string[]> {
  const inParts = listing.folders.includes('current') ? await listing.below('current') : null
  const files = await Promise.all([
    ...(listing.files.includes('current.sql') ? [listing.read('current.sql')] : []),
    ...(inParts?.files.filter(name => name.endsWith('.sql')).map(name => inParts.read(name)) ?? []),
  ])
  return files
    .filter(({ text }) => /^\s*(?!--)\S/m.test(text))
    .map(({ file }) => `${file} is not committed, so no version stands for it.`)
}

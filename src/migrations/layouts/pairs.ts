/** `<version>_<slug>.up.sql` beside `<version>_<slug>.down.sql`: the layout of this house, and of golang-migrate. */
import type { Layout, Part } from './layout.ts'
import { refusePrograms } from './layout.ts'
import { isPlain } from './plain.ts'

export const pairs: Layout = {
  name: 'pairs',
  looks: 'named <version>_<slug>.up.sql and .down.sql',
  claims: async listing => (isPlain(listing) ? [] : listing.files.filter(name => readName(name) !== null)),
  async load(listing) {
    const parts = await Promise.all(
      listing.files.flatMap(name => {
        const found = readName(name)
        return found ? [listing.read(name).then((content): Part => ({ ...found, name, content }))] : []
      }),
    )
    if (parts.length > 0) refusePrograms(listing, new Set(parts.map(part => BigInt(part.version).toString())))
    return { parts, upOnly: false, repeatables: [], warnings: listing.files.flatMap(nearMiss) }
  },
}

function readName(name: string): Omit<Part, 'content' | 'name'> | null {
  const match = /^(\d+)_(.*)\.(up|down)\.sql$/.exec(name)
  if (!match) return null
  const [, version = '', slug = '', direction] = match
  return { version, slug, direction: direction === 'up' ? 'up' : 'down' }
}

/** A misspelt name would be left out without a word, and its change never applied. */
function nearMiss(name: string): string[] {
  if (readName(name) || !/\.sql$/i.test(name) || /^\d+_.*\.checks\.sql$/.test(name)) return []
  return [`${name} is not named <version>_<slug>.up.sql or .down.sql, so it is left out.`]
}

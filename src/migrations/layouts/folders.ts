/** A folder `<version>_<name>/` a migration, with `up.sql` and `down.sql`: Hasura and Diesel. */
import { PlinthError } from '../../errors.ts'
import type { Layout, Listing, Part } from './layout.ts'
import { readOrdered } from './plain.ts'

export const folders: Layout = {
  name: 'folders',
  looks: 'in folders with up.sql',
  async claims(listing) {
    const found = await Promise.all(
      listing.folders.map(async name => ((await listing.below(name)).files.includes('up.sql') ? [name] : [])),
    )
    return found.flat()
  },
  async load(listing) {
    const parts: Part[] = []
    for (const name of await this.claims(listing)) {
      const inner = await listing.below(name)
      const named = readOrdered(name)
      if (!named)
        throw new PlinthError('FILE_NAME_INVALID', `${name} does not begin with a version.`, {
          at: { file: `${listing.folder}/${name}` },
          hint: 'Name it <timestamp>_<name>, in the place of the order that it has.',
        })
      const settings = inner.files.includes('metadata.toml') ? (await inner.read('metadata.toml')).text : ''
      const alone = /^\s*run_in_transaction\s*=\s*false\b/m.test(settings)
      for (const direction of ['up', 'down'] as const) {
        if (!inner.files.includes(`${direction}.sql`)) continue
        const content = await inner.read(`${direction}.sql`)
        // Hasura puts this where it found no way back, so that running it would only pretend one.
        if (direction === 'down' && isUnwritten(content.text)) continue
        parts.push({
          ...named,
          direction,
          name: `${name}/${direction}.sql`,
          content: alone ? { ...content, transaction: 'none' } : content,
        })
      }
    }
    return { parts, upOnly: true, repeatables: [], warnings: await unclaimed(listing, await this.claims(listing)) }
  },
}

function isUnwritten(text: string): boolean {
  return /^\s*--\s*could not auto-generate a down migration/im.test(text) && !/^\s*(?!--)\S/m.test(text)
}

/** A folder of metadata alone has nothing for the database, and one that lost its up would go unnoticed. */
async function unclaimed(listing: Listing, claimed: readonly string[]): Promise<string[]> {
  const others = listing.folders.filter(name => readOrdered(name) !== null && !claimed.includes(name))
  const read = await Promise.all(others.map(async name => ({ name, files: (await listing.below(name)).files })))
  return read.flatMap(({ name, files }) =>
    files.some(file => file.endsWith('.sql')) ? [`${name} has no up.sql, so it is left out.`] : [],
  )
}

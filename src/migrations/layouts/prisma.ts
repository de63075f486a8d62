/** Prisma: a folder `<timestamp>_<name>/` a migration, with `migration.sql`; a `down.sql` beside it is taken as its down. */
import { PlinthError } from '../../errors.ts'
import type { Layout, Listing, Part } from './layout.ts'
import { readWholeNames } from './whole-names.ts'

export const prisma: Layout = {
  name: 'prisma',
  looks: 'in folders with migration.sql',
  async claims(listing) {
    const found = await Promise.all(
      listing.folders.map(async name => ((await listing.below(name)).files.includes('migration.sql') ? [name] : [])),
    )
    return found.flat()
  },
  async load(listing) {
    await refuseOtherDialect(listing)
    const parts: Part[] = []
    const names = await this.claims(listing)
    const read = readWholeNames(names)
    for (const name of names) {
      const named = read.get(name)
      if (!named) throw unnumbered(listing, name)
      const inner = await listing.below(name)
      parts.push({ ...named, direction: 'up', name, content: await inner.read('migration.sql') })
      if (inner.files.includes('down.sql'))
        parts.push({ ...named, direction: 'down', name: `${name}/down.sql`, content: await inner.read('down.sql') })
    }
    return { parts, upOnly: true, repeatables: [], warnings: [] }
  },
}

async function refuseOtherDialect(listing: Listing): Promise<void> {
  if (!listing.files.includes('migration_lock.toml')) return
  const { text, file } = await listing.read('migration_lock.toml')
  const provider = /^\s*provider\s*=\s*"([^"]*)"/m.exec(text)?.[1]
  if (provider === undefined || provider === 'postgresql' || provider === 'cockroachdb') return
  throw new PlinthError('LAYOUT_UNSUPPORTED', `The migrations of ${listing.folder} are written for ${provider}.`, {
    at: { file },
    hint: 'Point --dir, or the folder of the track, at migrations for PostgreSQL.',
  })
}

function unnumbered(listing: Listing, name: string): PlinthError {
  return new PlinthError('FILE_NAME_INVALID', `${name} does not begin with a version.`, {
    at: { file: `${listing.folder}/${name}` },
    hint: 'Name it <timestamp>_<name>, in the place of the order that it has.',
  })
}

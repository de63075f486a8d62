/** A folder that has SQL and no migration that could be told: to find nothing to do there would be a lie. */
import { PlinthError } from '../../errors.ts'
import type { Listing } from './layout.ts'

/** Throws LAYOUT_UNKNOWN, unless there is nothing that could have been meant as a migration. `known` says how those look that are known. */
export async function refuseUnknown(listing: Listing, known: readonly string[], isHome: IsHome): Promise<void> {
  const homes = await homesBelow(listing, isHome)
  const [home] = homes
  if (home !== undefined)
    throw new PlinthError('LAYOUT_UNKNOWN', `${listing.folder} has no migrations itself; ${homes.join(' and ')} has.`, {
      at: { file: listing.folder },
      hint: `Point --dir, or the folder of the track, at ${homes.length === 1 ? home : 'one of them'}; each is a track of its own.`,
      details: { folders: homes },
    })
  const all = await filesBelow(listing)
  const example = all.find(({ name }) => /(?<!\.checks)\.sql$/i.test(name) || otherTool({ name, text: '' }) !== null)
  if (!example) return
  const text = /\.sql$/i.test(example.name) ? (await example.home.read(example.name)).text : ''
  const tool =
    all.map(({ name }) => otherTool({ name, text: '' })).find(one => one !== null) ?? otherTool({ ...example, text })
  const file = `${example.home.folder}/${example.name}`
  throw new PlinthError('LAYOUT_UNKNOWN', `${file} ${tool?.is ?? 'is in no layout that is known'}.`, {
    at: { file },
    hint: `${tool === null ? 'Name the files as one of these, in the order in which they run' : tool.hint}. Known are: ${known.join('; ')}.`,
    details: { known },
  })
}

/** Whether a folder below has migrations. */
export type IsHome = (listing: Listing) => Promise<boolean>

interface OtherTool {
  /** What a file of it is, behind its name. */
  readonly is: string
  /** What to do, as the beginning of a sentence. */
  readonly hint: string
}

function otherTool({ name, text }: { readonly name: string; readonly text: string }): OtherTool | null {
  if (/changelog.*\.(?:xml|ya?ml|json)$/i.test(name) || /^\s*--\s*liquibase formatted sql/i.test(text))
    return {
      is: 'is written for Liquibase, whose changelog decides what runs',
      hint: 'Name files of formatted SQL <version>_<name>.sql, in the order of the changelog; of anything else `liquibase update-sql` prints what it runs',
    }
  if (name === 'alembic.ini' || name === 'script.py.mako' || /^-- Running upgrade /m.test(text))
    return {
      is: 'is of Alembic, whose revisions are programs',
      hint: '`alembic upgrade FROM:TO --sql` prints what a revision runs: write each as <version>_<name>.up.sql, without the statements about alembic_version',
    }
  if (/^-- PostgreSQL database dump\b/m.test(text) || name === 'structure.sql')
    return {
      is: 'is the dump of a whole database, and no migration',
      hint: 'Name it 1_<name>.up.sql where databases begin with it, and say with `plinth baseline 1` which of them are there already',
    }
  return null
}

async function homesBelow(listing: Listing, isHome: IsHome, levels = 2): Promise<string[]> {
  const found = await Promise.all(
    (await foldersOf(listing)).map(async one => {
      if (await isHome(one)) return [one.folder]
      return levels > 1 ? homesBelow(one, isHome, levels - 1) : []
    }),
  )
  return found.flat()
}

async function filesBelow(listing: Listing, levels = 2): Promise<{ readonly name: string; readonly home: Listing }[]> {
  const own = listing.files.map(name => ({ name, home: listing }))
  if (levels === 0) return own
  const below = await Promise.all((await foldersOf(listing)).map(one => filesBelow(one, levels - 1)))
  return [...own, ...below.flat()]
}

/** Without those of tools, which may be huge. */
async function foldersOf(listing: Listing): Promise<Listing[]> {
  return Promise.all(
    listing.folders.filter(name => !/^(?:\.|node_modules$)/.test(name)).map(name => listing.below(name)),
  )
}

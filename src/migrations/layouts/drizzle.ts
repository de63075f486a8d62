/** Drizzle: `meta/_journal.json` says which files there are and in which order; one that it does not name is never run. */
import { PlinthError } from '../../errors.ts'
import type { Layout, Listing, Part } from './layout.ts'
import { type Named, readWholeNames } from './whole-names.ts'

export const drizzle: Layout = {
  name: 'drizzle',
  looks: 'named by meta/_journal.json',
  async claims(listing) {
    const journal = await readJournal(listing)
    return journal === null
      ? []
      : listing.files.filter(name => journal.entries.some(({ tag }) => name === `${tag}.sql`))
  },
  async load(listing) {
    const journal = await readJournal(listing)
    if (journal === null) return { parts: [], upOnly: true, repeatables: [], warnings: [] }
    const named = namesOf(journal)
    const parts: Part[] = []
    for (const { tag } of journal.entries) {
      const own = named.get(tag)
      if (!own) continue
      const name = `${tag}.sql`
      if (!listing.files.includes(name)) throw withoutFile(listing, journal, tag)
      parts.push({ ...own, direction: 'up', name, content: await listing.read(name) })
      const down = `${tag}.down.sql`
      if (listing.files.includes(down))
        parts.push({ ...own, direction: 'down', name: down, content: await listing.read(down) })
    }
    const known = new Set(parts.map(part => part.name))
    const others = listing.files.filter(name => /(?<!\.checks)\.sql$/i.test(name) && !known.has(name))
    return {
      parts,
      upOnly: true,
      repeatables: [],
      warnings: others.map(
        name => `${name} is not in meta/_journal.json, so Drizzle never runs it, and it is left out.`,
      ),
    }
  },
}

interface Journal {
  readonly file: string
  readonly entries: readonly { readonly tag: string; readonly when: number }[]
}

/** Null without one. Throws FILE_UNREADABLE, and LAYOUT_UNSUPPORTED for another dialect. */
async function readJournal(listing: Listing): Promise<Journal | null> {
  if (!listing.folders.includes('meta')) return null
  const meta = await listing.below('meta')
  if (!meta.files.includes('_journal.json')) return null
  const { text, file } = await meta.read('_journal.json')
  const { dialect, entries } = parse(text, file)
  if (typeof dialect === 'string' && !/^(?:postgresql|pg|cockroach)$/.test(dialect))
    throw new PlinthError('LAYOUT_UNSUPPORTED', `The migrations of ${listing.folder} are written for ${dialect}.`, {
      at: { file },
      hint: 'Point --dir, or the folder of the track, at migrations for PostgreSQL.',
    })
  return { file, entries }
}

function parse(text: string, file: string): { readonly dialect?: unknown; readonly entries: Journal['entries'] } {
  try {
    const read = JSON.parse(text) as { dialect?: unknown; entries?: unknown }
    const isEntry = (one: unknown): one is Journal['entries'][number] =>
      typeof (one as { tag?: unknown })?.tag === 'string' && typeof (one as { when?: unknown })?.when === 'number'
    if (Array.isArray(read.entries) && read.entries.every(isEntry))
      return { dialect: read.dialect, entries: read.entries }
  } catch {
    // Said below.
  }
  throw new PlinthError('FILE_UNREADABLE', `${file} is not a journal of Drizzle.`, {
    at: { file },
    hint: 'Take it from the version control again; where two branches changed it, keep the entries of both.',
  })
}

/** Drizzle's history has the time of an entry. Names may be without a number, which then is their place in the journal. */
function namesOf({ entries }: Journal): ReadonlyMap<string, Named> {
  const read = readWholeNames(entries.map(({ tag }) => tag))
  const all = entries.map(({ tag, when }, at): [string, Named] => {
    const found = read.get(tag) ?? { version: `${at + 1}`.padStart(4, '0'), slug: tag }
    return [tag, { ...found, foreignName: `${when}` }]
  })
  return new Map(all)
}

function withoutFile(listing: Listing, { file }: Journal, tag: string): PlinthError {
  return new PlinthError('FILE_UNREADABLE', `${tag}.sql is in meta/_journal.json and not in ${listing.folder}.`, {
    at: { file },
    hint: 'Bring the file back, or take its entry out of the journal where it was never run.',
  })
}

/**
 * `R__<name>.sql` beside the migrations, in every layout: what is run again whenever it changed, such as views and functions. Flyway, which the name is
 * from, reads its own, since they may be in folders below and have settings and placeholders.
 */
import { PlinthError } from '../../errors.ts'
import { compareVersions, type Migration, repeatablePrefix } from '../migration.ts'
import type { LayoutName, Listing, RepeatablePart } from './layout.ts'

/** What stands behind `R__`; null for a file of another name. Checks of a repeatable are none themselves. */
export function readRepeatable(name: string): string | null {
  return name.endsWith('.checks.sql') ? null : (/^R__(.+)\.sql$/.exec(name)?.[1] ?? null)
}

/** What the layout of the versions is asked for. */
export function withoutRepeatables(listing: Listing): Listing {
  const files = listing.files.filter(name => readRepeatable(name) === null && !/^R__.+\.checks\.sql$/.test(name))
  return files.length === listing.files.length ? listing : { ...listing, files }
}

/** Those beside the versions, of a layout that does not read them itself. */
export async function repeatablesIn(listing: Listing, layout: LayoutName): Promise<RepeatablePart[]> {
  if (layout === 'flyway') return []
  const named = listing.files.flatMap(name => {
    const slug = readRepeatable(name)
    return slug === null ? [] : [{ name, slug }]
  })
  return Promise.all(
    named.map(async ({ name, slug }): Promise<RepeatablePart> => {
      const content = await listing.read(name)
      return { name, slug, content, repeats: 'when changed' }
    }),
  )
}

/** In the order of their names. Throws VERSION_DUPLICATE. */
export function asMigrations(parts: readonly RepeatablePart[]): Migration[] {
  const seen = new Map<string, RepeatablePart>()
  for (const part of parts) {
    const other = seen.get(part.slug)
    if (other) throw sameName(other, part)
    seen.set(part.slug, part)
  }
  return parts
    .map(({ slug, content, repeats }): Migration => {
      return { version: `${repeatablePrefix}${slug}`, slug, up: content, down: null, upOnly: true, repeats }
    })
    .sort((a, b) => compareVersions(a.version, b.version))
}

function sameName(other: RepeatablePart, part: RepeatablePart): PlinthError {
  return new PlinthError('VERSION_DUPLICATE', `${other.name} and ${part.name} are repeatables of the same name.`, {
    at: { file: part.content.file },
    hint: 'A repeatable is known by its name: give one of them another.',
    details: { files: [other.content.file, part.content.file] },
  })
}

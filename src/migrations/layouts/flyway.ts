/** Flyway: `V1.2__name.sql` applies, `U1.2__name.sql` takes back, `R__name.sql` is run again whenever it changed. */
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import type { Layout, Listing, Part } from './layout.ts'
import { refuseLine } from './sections.ts'

export const flyway: Layout = {
  name: 'flyway',
  looks: 'named V<version>__<name>.sql',
  claims: async listing => listing.files.filter(name => readName(name) !== null),
  async load(listing) {
    refuseJava(listing)
    const parts: Part[] = []
    const repeatables: MigrationFile[] = []
    const warnings: string[] = []
    for (const name of listing.files) {
      const found = readName(name)
      if (!found) {
        if (/\.sql$/i.test(name)) warnings.push(`${name} is not named as Flyway names its files, so it is left out.`)
        continue
      }
      const { kind, version, slug } = found
      if (kind === 'B') {
        warnings.push(
          `${name} is a baseline for new databases; the versions before it make the same, so it is left out.`,
        )
        continue
      }
      const content = await withSettings(listing, name)
      if (kind === 'R') repeatables.push(content)
      else parts.push({ version, slug, direction: kind === 'V' ? 'up' : 'down', name, content })
    }
    for (const { file } of repeatables)
      warnings.push(`${file} is repeatable, which no version stands for: write its next change as a version.`)
    return { parts, upOnly: true, repeatables, warnings }
  },
}

function readName(name: string) {
  const match = /^(?:([VUB])(\d+(?:[._]\d+)*)|(R))__(.+)\.sql$/.exec(name)
  if (!match) return null
  const [, kind, version = '', repeatable, slug = ''] = match
  return { kind: kind ?? repeatable ?? '', version: version.replaceAll('_', '.'), slug }
}

/** A file may have settings beside it, of which only the one about transactions changes what runs. */
async function withSettings(listing: Listing, name: string): Promise<MigrationFile> {
  const content = await listing.read(name)
  refuseLine(
    content,
    /\$\{[\w:.-]+\}/,
    'has a placeholder, whose value only the configuration of Flyway knows',
    'Write the value into the file: what ran must be what the file says.',
  )
  if (!listing.files.includes(`${name}.conf`)) return content
  const { text } = await listing.read(`${name}.conf`)
  return /^\s*executeInTransaction\s*=\s*false\b/im.test(text) ? { ...content, transaction: 'none' } : content
}

function refuseJava(listing: Listing): void {
  const program = listing.files.find(name => /^[VUR].*__.*\.(?:java|kt|class)$/.test(name))
  if (!program) return
  throw new PlinthError(
    'LAYOUT_UNSUPPORTED',
    `${program} is a program, and only its SQL can be planned, proved and kept.`,
    {
      at: { file: `${listing.folder}/${program}` },
      hint: 'Write the SQL that it runs as a file of the same version, and move the program elsewhere.',
    },
  )
}

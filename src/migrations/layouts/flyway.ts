/** Flyway: `V1.2__name.sql` applies, `U1.2__name.sql` takes back, `R__name.sql` is run again whenever it changed. */
import { PlinthError } from '../../errors.ts'
import { compareVersions, type MigrationFile } from '../migration.ts'
import type { Layout, Listing, Part, RepeatablePart } from './layout.ts'
import { fillIn, type Placeholders, readPlaceholders } from './placeholders.ts'

export const flyway: Layout = {
  name: 'flyway',
  looks: 'named V<version>__<name>.sql',
  // Repeatables alone may be of any layout.
  async claims(listing) {
    const names = (await allFiles(listing)).map(({ name }) => name)
    return names.filter(name => (readName(name)?.kind ?? 'R') !== 'R')
  },
  async load(listing) {
    const files = await allFiles(listing)
    refuseJava(files)
    const parts: Part[] = []
    const baselines: Part[] = []
    const repeatables: RepeatablePart[] = []
    const warnings: string[] = []
    const values = await readPlaceholders(listing)
    for (const { name, home } of files) {
      const found = readName(name)
      if (!found) {
        if (/\.sql$/i.test(name) && !name.endsWith('.checks.sql')) warnings.push(leftOut(name))
        continue
      }
      const { kind, version, slug } = found
      // Flyway's own way to say that a script runs each time is to let the time change it.
      const isAlways = kind === 'R' && (await home.read(name)).text.includes(`\${${timestamp}}`)
      const content = await withSettings(home, name, isAlways ? new Map([...values, [timestamp, 'now']]) : values)
      if (kind === 'R') repeatables.push({ slug, name, content, repeats: isAlways ? 'always' : 'when changed' })
      else
        (kind === 'B' ? baselines : parts).push({
          version,
          slug,
          direction: kind === 'U' ? 'down' : 'up',
          name,
          content,
        })
    }
    const chosen = withBaselines(parts, baselines)
    return {
      parts: chosen.parts,
      upOnly: true,
      repeatables,
      warnings: [...warnings, ...chosen.warnings],
    }
  },
}

const timestamp = 'flyway:timestamp'

/** Flyway looks into every folder below as well. */
async function allFiles(listing: Listing): Promise<{ readonly name: string; readonly home: Listing }[]> {
  const below = await Promise.all(listing.folders.map(async name => allFiles(await listing.below(name))))
  return [...listing.files.map(name => ({ name, home: listing })), ...below.flat()]
}

/** The newest baseline is what a new database begins with, unless the versions that it stands for are still there. */
function withBaselines(
  parts: readonly Part[],
  baselines: readonly Part[],
): { readonly parts: readonly Part[]; readonly warnings: readonly string[] } {
  const newest = baselines.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1)
  if (newest === undefined) return { parts, warnings: [] }
  const stands = parts.every(({ version }) => compareVersions(version, newest.version) > 0)
  return {
    parts: stands ? [newest, ...parts] : parts,
    warnings: baselines
      .filter(part => !stands || part !== newest)
      .map(({ name }) => `${name} is a baseline for new databases; other files make the same, so it is left out.`),
  }
}

function readName(name: string) {
  if (name.endsWith('.checks.sql')) return null
  const match = /^(?:([VUB])(\d+(?:[._]\d+)*)|(R))__(.+)\.sql$/.exec(name)
  if (!match) return null
  const [, kind, version = '', repeatable, slug = ''] = match
  return { kind: kind ?? repeatable ?? '', version: version.replaceAll('_', '.'), slug }
}

/** A file may have settings beside it, of which those about transactions and placeholders change what runs. */
async function withSettings(listing: Listing, name: string, values: Placeholders): Promise<MigrationFile> {
  const source = await listing.read(name)
  const settings = listing.files.includes(`${name}.conf`) ? (await listing.read(`${name}.conf`)).text : ''
  const isAsked = (setting: string) => !new RegExp(`^\\s*${setting}\\s*=\\s*false\\b`, 'im').test(settings)
  const content = isAsked('placeholderReplacement') ? fillIn(source, values, /\$\{([\w:.-]+)\}/g) : source
  return isAsked('executeInTransaction') ? content : { ...content, transaction: 'none' }
}

function leftOut(name: string): string {
  return /^(?:before|after|create)[A-Z]\w*?(?:__.*)?\.sql$/.test(name)
    ? `${name} is a callback of Flyway, which no version stands for, so it is left out: write it as a hook or as a migration.`
    : `${name} is not named as Flyway names its files, so it is left out.`
}

function refuseJava(files: readonly { readonly name: string; readonly home: Listing }[]): void {
  const program = files.find(({ name }) => /^[VUR].*__.*\.(?:java|kt|class)$/.test(name))
  if (!program) return
  throw new PlinthError(
    'LAYOUT_UNSUPPORTED',
    `${program.name} is a program, and only its SQL can be planned, proved and kept.`,
    {
      at: { file: `${program.home.folder}/${program.name}` },
      hint: 'Write the SQL that it runs as a file of the same version, and move the program elsewhere.',
    },
  )
}

/**
 * Flyway: `V1.2__name.sql` applies, `U1.2__name.sql` takes back, `R__name.sql` is run again whenever it changed. Its own configuration may have them
 * named otherwise.
 */
import { PlinthError } from '../../errors.ts'
import { compareVersions, type MigrationFile } from '../migration.ts'
import type { Layout, Listing, Part, RepeatablePart } from './layout.ts'
import { type FlywaySettings, flywaySettings } from './flyway-settings.ts'
import { fillIn, type Placeholders, readPlaceholders } from './placeholders.ts'

export const flyway: Layout = {
  name: 'flyway',
  looks: 'named V<version>__<name>.sql',
  // Repeatables alone may be of any layout.
  async claims(listing) {
    const settings = await flywaySettings(listing.folder)
    const names = (await allFiles(listing)).map(({ name }) => name)
    return names.filter(name => (readName(name, settings)?.kind ?? 'R') !== 'R')
  },
  async load(listing) {
    const settings = await flywaySettings(listing.folder)
    const files = await allFiles(listing)
    refuseJava(files)
    const parts: Part[] = []
    const baselines: Part[] = []
    const repeatables: RepeatablePart[] = []
    const warnings: string[] = []
    const values = new Map([...settings.values, ...(await readPlaceholders(listing))])
    for (const { name, home } of files) {
      const found = readName(name, settings)
      if (!found) {
        if (/\.sql$/i.test(name) && !name.endsWith('.checks.sql')) warnings.push(leftOut(name))
        continue
      }
      const { kind, version, slug } = found
      // Flyway's own way to say that a script runs each time is to let the time change it.
      const { opening, closing } = settings
      const isAlways = kind === 'R' && (await home.read(name)).text.includes(`${opening}${timestamp}${closing}`)
      const always = isAlways ? ([[timestamp, 'now']] as const) : []
      const known = new Map([...values, ['flyway:filename', name] as const, ...always])
      const content = await withSettings(home, name, { settings, values: known })
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

function readName(name: string, { prefixes, separator, suffixes }: FlywaySettings) {
  if (name.endsWith('.checks.sql')) return null
  const ending = suffixes.find(suffix => name.endsWith(suffix))
  if (ending === undefined) return null
  const [head, ...rest] = name.slice(0, -ending.length).split(separator)
  const slug = rest.join(separator)
  if (head === undefined || slug === '') return null
  if (head === prefixes.R) return { kind: 'R', version: '', slug } as const
  for (const kind of ['V', 'U', 'B'] as const) {
    const version = head.startsWith(prefixes[kind]) ? head.slice(prefixes[kind].length) : ''
    if (/^\d+(?:[._]\d+)*$/.test(version)) return { kind, version: version.replaceAll('_', '.'), slug }
  }
  return null
}

/** A file may have settings beside it, of which those about transactions and placeholders change what runs. */
async function withSettings(
  listing: Listing,
  name: string,
  { settings, values }: { readonly settings: FlywaySettings; readonly values: Placeholders },
): Promise<MigrationFile> {
  const source = await listing.read(name)
  const beside = listing.files.includes(`${name}.conf`) ? (await listing.read(`${name}.conf`)).text : ''
  const said = (setting: string) =>
    new RegExp(`^\\s*(?:flyway\\.)?${setting}\\s*=\\s*(true|false)\\b`, 'im').exec(beside)?.[1]?.toLowerCase()
  const replaces = said('placeholderReplacement') ?? String(settings.replaces)
  const inTransaction = said('executeInTransaction') ?? String(settings.inTransaction)
  const pattern = new RegExp(`${escaped(settings.opening)}([\\w:.-]+)${escaped(settings.closing)}`, 'g')
  const content = replaces === 'true' ? fillIn(source, values, pattern) : source
  return inTransaction === 'true' ? content : { ...content, transaction: 'none' }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
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

/** One file a migration, its directions marked by comments: goose, sql-migrate, dbmate, node-pg-migrate and Play. */
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import { type Layout, type LayoutName, type Listing, type Part, readNumber, refusePrograms } from './layout.ts'
import { readWholeNames } from './whole-names.ts'
import { fillInVariables } from './envsub.ts'
import { type Placeholders, readPlaceholders } from './placeholders.ts'
import { blankedTo, type Marker, sectionsOf } from './sections.ts'

export const goose = marked({
  name: 'goose',
  marker: /^\s*--\s*\+goose\s+(up|down)\b(.*)$/i,
  example: '-- +goose Up',
  upOnly: true,
  alone: /^\s*--\s*\+goose\s+NO\s+TRANSACTION\b/im,
  fill: fillInVariables,
})

export const sqlMigrate = marked({
  name: 'sql-migrate',
  marker: /^\s*--\s*\+migrate\s+(up|down)\b(.*)$/i,
  example: '-- +migrate Up',
  upOnly: true,
})

export const dbmate = marked({
  name: 'dbmate',
  marker: /^\s*--\s*migrate:(up|down)\b(.*)$/,
  example: '-- migrate:up',
  upOnly: true,
})

/** A file without markers is an up as a whole, as node-pg-migrate has it. */
export const nodePgMigrate = marked({
  name: 'node-pg-migrate',
  marker: /^\s*--[\s-]*(up|down)\s+migration\b(.*)$/i,
  example: '-- Up Migration',
  upOnly: true,
  unmarked: 'up',
  wholeNames: true,
})

/** Play's evolutions, whose files are numbers; what is one semicolon in the database is written as two. */
export const evolutions = marked({
  name: 'evolutions',
  marker: /^\s*(?:#|--)[^!]*!(ups|downs)\b(.*)$/i,
  example: '-- !Ups',
  upOnly: true,
  write: text => text.replaceAll(';;', ';'),
})

interface Marking {
  readonly name: LayoutName
  /** Its first group is the direction, its second what follows. */
  readonly marker: RegExp
  readonly example: string
  readonly upOnly: boolean
  /** A line that asks for no transaction around the whole file. */
  readonly alone?: RegExp
  readonly unmarked?: 'up'
  /** Its history keeps whole names, so that several files may begin with the same number. */
  readonly wholeNames?: true
  /** What the file is once its values are in it. */
  readonly fill?: (source: MigrationFile, values: Placeholders) => MigrationFile
  /** What runs of a section's text. */
  readonly write?: (text: string) => string
}

function marked(marking: Marking): Layout {
  const { name, marker, example, upOnly, unmarked } = marking
  const markerOf = (line: string): Marker | null => {
    const match = marker.exec(line)
    if (!match) return null
    return { direction: match[1]?.toLowerCase().startsWith('down') ? 'down' : 'up', options: match[2] ?? '' }
  }
  const isMarked = (text: string): boolean => text.split(/\r?\n/).some(line => markerOf(line)?.direction === 'up')
  return {
    name,
    looks: `with ${example} in the file`,
    async claims(listing) {
      const files = await Promise.all(
        numbered(listing).map(async file => ({ file, text: (await listing.read(file)).text })),
      )
      return files.flatMap(({ file, text }) => (isMarked(text) ? [file] : []))
    },
    async load(listing) {
      const parts: Part[] = []
      const files = numbered(listing)
      const values = marking.fill ? await readPlaceholders(listing) : new Map<string, string>()
      const whole = readWholeNames(marking.wholeNames ? files.map(file => file.slice(0, -4)).sort(byNumber) : [])
      for (const file of files) {
        const written = await listing.read(file)
        const source = marking.fill ? marking.fill(written, values) : written
        const named = whole.get(file.slice(0, -4)) ?? readNumber(file, /\.sql$/)
        if (!named) continue
        if (!isMarked(source.text) && unmarked === undefined) throw unmarkedFile(source, example)
        parts.push(...partsOf(marking, source, markerOf).map(part => ({ ...part, ...named, name: file })))
      }
      refusePrograms(listing, new Set(parts.map(part => BigInt(part.version.split('.')[0] ?? '').toString())))
      const warnings = listing.files.flatMap(file =>
        /\.sql$/i.test(file) && !numbered(listing).includes(file) && !file.endsWith('.checks.sql')
          ? [`${file} has no version in its name, so it is left out.`]
          : [],
      )
      return { parts, upOnly, repeatables: [], warnings }
    },
  }
}

function partsOf(
  { alone, write }: Marking,
  source: MigrationFile,
  markerOf: (line: string) => Marker | null,
): Pick<Part, 'direction' | 'content'>[] {
  const sections = sectionsOf(source, markerOf)
  if (sections.length === 0) return [{ direction: 'up', content: blankedTo(source, source.text) }]
  const [only, other] = sections
  // What does nothing is undone by nothing, and its tool takes it back without a word.
  if (only?.direction === 'up' && other === undefined && isBlank(only.content.text))
    return [
      { direction: 'up', content: only.content },
      { direction: 'down', content: blankedTo(source, '') },
    ]
  return sections.map(({ direction, options, content }) => {
    const none = alone?.test(source.text) === true || /\btransaction:false\b|\bnotransaction\b/i.test(options)
    const own = write ? blankedTo(source, write(content.text)) : content
    return { direction, content: none ? { ...own, transaction: 'none' } : own }
  })
}

/** Comments alone run nothing. */
function isBlank(text: string): boolean {
  return text.replace(/\/\*[\s\S]*?\*\/|--.*$/gm, '').trim() === ''
}

function numbered(listing: Listing): string[] {
  return listing.files.filter(file => !/\.(?:up|down|checks)\.sql$/.test(file) && readNumber(file, /\.sql$/) !== null)
}

/** As node-pg-migrate runs them; those of one number by their names. */
function byNumber(a: string, b: string): number {
  const difference = BigInt(leadingVersion(a)) - BigInt(leadingVersion(b))
  return difference === 0n ? (a < b ? -1 : 1) : difference < 0n ? -1 : 1
}

function leadingVersion(name: string): string {
  return /^\d+/.exec(name)?.[0] ?? '0'
}

function unmarkedFile(source: MigrationFile, example: string): PlinthError {
  return new PlinthError('LAYOUT_AMBIGUOUS', `${source.file} has no "${example}", which the other files have.`, {
    at: { file: source.file, line: 1, source: source.text },
    hint: `Begin it with "${example}", or move it out of the folder.`,
  })
}

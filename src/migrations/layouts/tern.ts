/**
 * tern: a line divides its files, which are Go templates. Of those, what migrations use is known: values, from `[data]` in `tern.conf` or from
 * `placeholders.json`, and other files of the folder.
 */
import { createHash } from 'node:crypto'
import type { MigrationFile } from '../migration.ts'
import type { Listing } from './layout.ts'
import { fillIn, type Placeholders, readPlaceholders } from './placeholders.ts'
import { divideAt, refuseAt, refuseLine } from './sections.ts'

/** The up above the line and the down below it; null where no line divides the file. */
export function divideTern(source: MigrationFile): readonly [up: MigrationFile, down: MigrationFile] | null {
  return divideAt(source, line)
}

/** What a file of the folder is once its values and its other files are in it; one that is not tern's stays. Throws SQL_UNSUPPORTED. */
export async function openTern(listing: Listing): Promise<(source: MigrationFile) => Promise<MigrationFile>> {
  const isConfigured = listing.files.includes(configuration)
  let values: Promise<Placeholders> | null = null
  return async source => {
    if (!source.text.includes('{{') || !(isConfigured || source.text.split('\n').some(one => line.test(one))))
      return source
    values ??= valuesOf(listing)
    const whole = await withFiles(listing, source)
    refuseLine(
      whole,
      /\{\{-?\s*(?:if|range|with|define|block)\b/,
      "decides in tern's templates what it is",
      'Write what it becomes; only values, {{.name}}, and other files, {{ template "name.sql" . }}, are filled in.',
    )
    return fillIn(whole, await values, /\{\{-?\s*\.(\w+)\s*-?\}\}/g)
  }
}

const line = /^---- create above \/ drop below ----\s*$/

const configuration = 'tern.conf'

async function valuesOf(listing: Listing): Promise<Placeholders> {
  const own = await readPlaceholders(listing)
  if (!listing.files.includes(configuration)) return own
  const { text } = await listing.read(configuration)
  const [, data = ''] = /^\[data\][ \t]*\r?\n((?:(?!\[).*(?:\n|$))*)/m.exec(text) ?? []
  const read = [...data.matchAll(/^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t]*\r?$/gm)].map(
    ([, name = '', value = '']) => [name, value] as const,
  )
  // A value that tern takes from its environment is not said by the folder.
  return new Map([...read.filter(([, value]) => !value.includes('{{')), ...own])
}

async function withFiles(listing: Listing, source: MigrationFile): Promise<MigrationFile> {
  let { text } = source
  for (const [call, name = ''] of source.text.matchAll(/\{\{-?\s*template\s+"([^"]+)"\s*\.?\s*-?\}\}/g)) {
    const found = await textOf(listing, name.split('/'))
    if (found === null)
      throw refuseAt(
        source,
        source.text.slice(0, source.text.indexOf(call)).split('\n').length - 1,
        `takes in ${name}, which is not in the folder`,
        'Put the file there, or its text here.',
      )
    text = text.replace(call, () => found)
  }
  return text === source.text ? source : { ...source, text, checksum: createHash('sha256').update(text).digest('hex') }
}

async function textOf(listing: Listing, path: readonly string[]): Promise<string | null> {
  const [first = '', ...rest] = path
  if (rest.length === 0) return listing.files.includes(first) ? (await listing.read(first)).text : null
  return listing.folders.includes(first) ? textOf(await listing.below(first), rest) : null
}

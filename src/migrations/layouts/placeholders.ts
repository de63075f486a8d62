/**
 * Values of what a tool fills in, from `placeholders.json` in the folder of the migrations and, for what differs between environments, from the
 * configuration: the files themselves stay as the tool's own history knows them.
 */
import { createHash } from 'node:crypto'
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import type { Listing } from './layout.ts'
import { refuseAt } from './sections.ts'

export type Placeholders = ReadonlyMap<string, string>

const own = 'placeholders.json'

/** Those of the configuration win. Empty without either. Throws FILE_UNREADABLE where the file is no object of texts. */
export async function readPlaceholders(listing: Listing): Promise<Placeholders> {
  const given = listing.values ?? new Map<string, string>()
  if (!listing.files.includes(own)) return given
  const { text, file } = await listing.read(own)
  const values = parse(text)
  if (values !== null) return new Map([...Object.entries(values), ...given])
  throw new PlinthError('FILE_UNREADABLE', `${file} is no JSON object of texts.`, {
    at: { file },
    hint: 'Write it as { "name": "value" }.',
  })
}

/**
 * The first group of `pattern` is the name. Throws SQL_UNSUPPORTED at one that has no value, unless `isOther` says that it may be something else.
 */
export function fillIn(
  source: MigrationFile,
  values: Placeholders,
  pattern: RegExp,
  isOther: (name: string) => boolean = () => false,
): MigrationFile {
  const text = source.text.replace(pattern, (whole, name: string, at: number) => {
    const value = values.get(name)
    if (value !== undefined) return value
    if (isOther(name)) return whole
    throw unknownPlaceholder(source, source.text.slice(0, at).split('\n').length - 1, name)
  })
  return filledIn(source, text)
}

/** `source` with the text that its values make. */
export function filledIn(source: MigrationFile, text: string): MigrationFile {
  if (text === source.text) return source
  return {
    ...source,
    text,
    written: source.text,
    // Another value is another script.
    checksum: createHash('sha256').update(text).digest('hex'),
  }
}

/** `at` is the line, counted from 0. */
export function unknownPlaceholder(source: MigrationFile, at: number, name: string): PlinthError {
  return refuseAt(
    source,
    at,
    `has the placeholder ${name}, whose value is not known`,
    `Write it to ${own} in the folder of the migrations, as { ${JSON.stringify(name)}: "…" }, or where it differs between environments to "placeholders" of the track in the configuration; the files stay as they are.`,
  )
}

function parse(text: string): Readonly<Record<string, string>> | null {
  try {
    const values: unknown = JSON.parse(text)
    if (typeof values !== 'object' || values === null || Array.isArray(values)) return null
    return Object.values(values).every(value => typeof value === 'string') ? (values as Record<string, string>) : null
  } catch {
    return null
  }
}

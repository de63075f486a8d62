/**
 * Values of what a tool fills in, from `placeholders.json` in the folder of the migrations: the files themselves stay as the tool's own history knows
 * them, and what ran is still said by the folder alone.
 */
import { createHash } from 'node:crypto'
import { PlinthError } from '../../errors.ts'
import type { MigrationFile } from '../migration.ts'
import type { Listing } from './layout.ts'
import { refuseAt } from './sections.ts'

export type Placeholders = ReadonlyMap<string, string>

const own = 'placeholders.json'

/** Empty without the file. Throws FILE_UNREADABLE where it is no object of texts. */
export async function readPlaceholders(listing: Listing): Promise<Placeholders> {
  if (!listing.files.includes(own)) return new Map()
  const { text, file } = await listing.read(own)
  const values = parse(text)
  if (values !== null) return new Map(Object.entries(values))
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
    throw refuseAt(
      source,
      source.text.slice(0, at).split('\n').length - 1,
      `has the placeholder ${name}, whose value is not known`,
      `Write it to ${own} in the folder of the migrations, as { ${JSON.stringify(name)}: "…" }; the files stay as they are.`,
    )
  })
  if (text === source.text) return source
  return {
    ...source,
    text,
    written: source.text,
    // Another value is another script.
    checksum: createHash('sha256').update(text).digest('hex'),
  }
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

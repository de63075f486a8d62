/** What `flyway.conf` or `flyway.toml` says of the names of its files and of their placeholders. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { PlinthError } from '../../errors.ts'

export interface FlywaySettings {
  /** Null where there is none. */
  readonly file: string | null
  readonly prefixes: Readonly<Record<'V' | 'U' | 'B' | 'R', string>>
  readonly separator: string
  readonly suffixes: readonly string[]
  readonly opening: string
  readonly closing: string
  readonly replaces: boolean
  readonly inTransaction: boolean
  /** Of placeholders; those that Flyway makes itself are named `flyway:…`. */
  readonly values: ReadonlyMap<string, string>
}

/**
 * Of the nearest file: in the folder, or in one above it or in the `conf` of that, up to the root of the repository. Throws FILE_UNREADABLE at a
 * file that is no TOML.
 */
export async function flywaySettings(folder: string): Promise<FlywaySettings> {
  const file = nearest(resolve(folder))
  return file === null ? settingsOf(null, new Map()) : settingsOf(file, await readSettings(file))
}

const names = ['flyway.toml', 'flyway.conf', join('conf', 'flyway.toml'), join('conf', 'flyway.conf')]
const levelsMax = 12

function nearest(folder: string): string | null {
  let at = folder
  for (let level = 0; level < levelsMax; level++) {
    const found = names.map(name => join(at, name)).find(file => existsSync(file))
    if (found !== undefined) return found
    const above = dirname(at)
    if (above === at || existsSync(join(at, '.git'))) return null
    at = above
  }
  return null
}

/** How a file of a version is named. */
export function flywayName(
  { prefixes, separator, suffixes }: FlywaySettings,
  kind: 'V' | 'U',
  { version, slug }: { readonly version: string; readonly slug: string },
): string {
  return `${prefixes[kind]}${version}${separator}${slug}${suffixes[0] ?? '.sql'}`
}

/** By their names without `flyway.` before them; lists are joined by commas. */
type Settings = ReadonlyMap<string, string>

async function readSettings(file: string): Promise<Settings> {
  const unreadable = (cause: unknown) =>
    new PlinthError('FILE_UNREADABLE', `${file} cannot be read.`, {
      at: { file },
      hint: 'It says how Flyway names its files and what its placeholders are: correct it, or move it out of the project.',
      cause,
    })
  try {
    const text = readFileSync(file, 'utf8').replace(/^\ufeff/, '')
    return file.endsWith('.toml') ? await fromToml(text) : fromProperties(text)
  } catch (error) {
    throw unreadable(error)
  }
}

/** A line that ends with a backslash goes on in the next one. */
function fromProperties(text: string): Settings {
  const lines = text.replaceAll(/\\\r?\n[ \t]*/g, '').split(/\r?\n/)
  return new Map(
    lines.flatMap(line => {
      const [, name = '', value = ''] = /^\s*(?:flyway\.)?([\w.:-]+)\s*[=:]\s?(.*?)\s*$/.exec(line) ?? []
      return name === '' || /^\s*[#!]/.test(line) ? [] : [[name, value] as const]
    }),
  )
}

async function fromToml(text: string): Promise<Settings> {
  const { parse } = await import('smol-toml')
  const { flyway } = parse(text)
  return new Map(flatten(flyway, ''))
}

function flatten(value: unknown, name: string): [name: string, value: string][] {
  if (Array.isArray(value)) return [[name, value.join(',')]]
  if (typeof value === 'object' && value !== null && !(value instanceof Date))
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, name === '' ? key : `${name}.${key}`))
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? [[name, `${value}`]]
    : []
}

function settingsOf(file: string | null, settings: Settings): FlywaySettings {
  const said = (name: string, usual: string) => settings.get(name) || usual
  const [schema] = said('schemas', '').split(',')
  const defaultSchema = said('defaultSchema', schema?.trim() ?? '')
  const own = {
    ...(defaultSchema === '' ? {} : { 'flyway:defaultSchema': defaultSchema }),
    'flyway:table': said('table', 'flyway_schema_history'),
  }
  const given = [...settings].flatMap(([name, value]): [string, string][] =>
    // A value that comes from Flyway's environment is not said here.
    name.startsWith('placeholders.') && !value.includes('${') ? [[name.slice('placeholders.'.length), value]] : [],
  )
  return {
    file,
    prefixes: {
      V: said('sqlMigrationPrefix', 'V'),
      U: said('undoSqlMigrationPrefix', 'U'),
      B: said('baselineMigrationPrefix', 'B'),
      R: said('repeatableSqlMigrationPrefix', 'R'),
    },
    separator: said('sqlMigrationSeparator', '__'),
    suffixes: said('sqlMigrationSuffixes', '.sql')
      .split(',')
      .map(suffix => suffix.trim())
      .filter(Boolean),
    opening: said('placeholderPrefix', '${'),
    closing: said('placeholderSuffix', '}'),
    replaces: said('placeholderReplacement', 'true') !== 'false',
    inTransaction: said('executeInTransaction', 'true') !== 'false',
    values: new Map([...Object.entries(own), ...given]),
  }
}

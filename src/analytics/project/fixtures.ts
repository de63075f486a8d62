/** Unit tests out of properties files: what a transform is given, and what it must answer. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { nearest, type Place, PlinthError } from '../../errors.ts'
import { layered, treeLayers } from './configs.ts'
import { isEnabled } from './describe.ts'
import { unitTestConfig } from './keys.ts'
import type { Given, GivenRows, UnitTest } from './project.ts'
import { described, type Folder, listFiles, readText, type SettingsFile } from './files.ts'
import { mappingOf, type Properties, type PropertiesFile, textOf, wordsOf } from './shapes.ts'

type Entry = NonNullable<Properties['unit_tests']>[number]
type Fixture = Entry['expect']

export interface Fixtures {
  readonly where: Folder
  readonly settings: SettingsFile
  readonly docs: ReadonlyMap<string, string>
  /** Names of the transforms that there are. */
  readonly transforms: readonly string[]
  readonly disabled: ReadonlySet<string>
}

/** Throws TRANSFORM_INVALID for a transform, an input or a fixture that is not there, and for rows that are none. */
export async function unitTestsOf({ value, place, path }: PropertiesFile, fixtures: Fixtures): Promise<UnitTest[]> {
  const tests: UnitTest[] = []
  for (const [index, entry] of (value.unit_tests ?? []).entries()) {
    const at = (more: readonly PropertyKey[]) => place(['unit_tests', index, ...more])
    if (fixtures.disabled.has(entry.model)) continue
    const test = await unitTestOf(entry, at, path, fixtures)
    if (test) tests.push(test)
  }
  return tests
}

async function unitTestOf(
  entry: Entry,
  at: (more: readonly PropertyKey[]) => Place,
  path: string,
  fixtures: Fixtures,
): Promise<UnitTest | null> {
  const { value, place } = fixtures.settings
  const steps = [value.name, ...path.split('/').slice(1, -1), entry.name]
  const settings = layered(
    [
      ...treeLayers(value.unit_tests, steps, unitTestConfig, more => place(['unit_tests', ...more])),
      { values: entry.tags ? { tags: entry.tags } : {}, place: key => at([key]) },
      { values: entry.config ?? {}, place: key => at(['config', key]) },
    ],
    unitTestConfig,
    at(['name']),
  )
  if (!isEnabled(settings.values['enabled'])) return null
  if (!fixtures.transforms.includes(entry.model)) {
    const guess = nearest(entry.model, fixtures.transforms)
    throw new PlinthError('TRANSFORM_INVALID', `There is no transform "${entry.model}" to be tested.`, {
      at: at(['model']),
      hint: guess ? `Did you mean "${guess}"?` : `Known transforms: ${fixtures.transforms.join(', ') || 'none'}.`,
    })
  }
  const given: Given[] = []
  for (const [index, one] of (entry.given ?? []).entries()) {
    const here = at(['given', index])
    given.push({ input: inputOf(one.input, here), rows: await rowsOf(one, here, fixtures), place: here })
  }
  const environment = Object.entries(mappingOf(entry.overrides?.env_vars)).map(([key, item]) => [
    key,
    textOf(item) ?? '',
  ])
  return {
    name: entry.name,
    transform: entry.model,
    description: described(entry.description, fixtures.docs, at(['description'])),
    tags: wordsOf(settings.values['tags']),
    given,
    expected: await rowsOf(entry.expect, at(['expect']), fixtures),
    overrides: {
      macros: mappingOf(entry.overrides?.macros),
      variables: mappingOf(entry.overrides?.vars),
      environment: Object.fromEntries(environment) as Record<string, string>,
    },
    path,
    place: at(['name']),
  }
}

function inputOf(text: string, at: Place): Given['input'] {
  const name = String.raw`\(\s*['"](\w+)['"]\s*(?:,\s*['"](\w+)['"]\s*)?\)`
  const [, ref, refIn] = new RegExp(`^\\s*ref${name}\\s*$`).exec(text) ?? []
  if (ref !== undefined) return { kind: 'ref', name: refIn ?? ref }
  const [, group, table] = new RegExp(`^\\s*source${name}\\s*$`).exec(text) ?? []
  if (group !== undefined && table !== undefined) return { kind: 'source', name: `${group}.${table}` }
  if (text.trim() === 'this') return { kind: 'this', name: 'this' }
  throw new PlinthError('TRANSFORM_INVALID', `"${text}" is not an input.`, {
    at,
    hint: "Write ref('transform'), source('group', 'table') or this.",
  })
}

async function rowsOf({ rows, format, fixture }: Fixture, at: Place, fixtures: Fixtures): Promise<GivenRows> {
  const kind = format ?? 'dict'
  if (fixture !== undefined && fixture !== null) {
    if (kind === 'dict')
      throw new PlinthError('TRANSFORM_INVALID', 'Rows in a fixture are csv or sql.', { at, hint: 'Set format: csv.' })
    const text = await fixtureText(fixture, kind, at, fixtures)
    return kind === 'csv' ? { kind: 'values', rows: await parseRows(text, at), place: at } : asQuery(text, at)
  }
  if (kind === 'dict') {
    if (typeof rows === 'string')
      throw new PlinthError('TRANSFORM_INVALID', 'These rows are a text.', { at, hint: 'Set format: csv or sql.' })
    return { kind: 'values', rows: (rows ?? []).map(plainRow), place: at }
  }
  if (typeof rows !== 'string')
    throw new PlinthError('TRANSFORM_INVALID', `Rows in ${kind} are a text.`, {
      at,
      hint: 'Write rows: | and the text below.',
    })
  return kind === 'csv' ? { kind: 'values', rows: await parseRows(rows, at), place: at } : asQuery(rows, at)
}

function asQuery(text: string, place: Place): GivenRows {
  return { kind: 'query', query: text.trim().replace(/;\s*$/, ''), place }
}

/** YAML reads a date without quotes as a date. */
function plainRow(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, value instanceof Date ? value.toISOString() : value]),
  )
}

async function fixtureText(name: string, ending: string, at: Place, { where, settings }: Fixtures): Promise<string> {
  const folders = settings.value['test-paths'].map(path => join(path, 'fixtures'))
  for (const folder of folders) {
    const file = join(where.folder, folder, `${name}.${ending}`)
    if (existsSync(file)) return readText(file, where.root)
  }
  const known = (await listFiles(where, folders, new RegExp(`\\.${ending}$`))).map(file => relative(where.root, file))
  throw new PlinthError('TRANSFORM_INVALID', `There is no fixture ${name}.${ending} in ${folders.join(' or ')}.`, {
    at,
    hint: `Known: ${known.join(', ') || 'none'}.`,
  })
}

/** CSV with a header. Nothing between two commas is null, two quotes are an empty text. */
async function parseRows(text: string, at: Place): Promise<Record<string, unknown>[]> {
  const lines = splitCsv(text.trim())
  const [header, ...body] = lines
  if (!header) return []
  return body
    .filter(line => line.length > 1 || line[0] !== null)
    .map((line, index) => {
      if (line.length !== header.length) {
        throw new PlinthError(
          'TRANSFORM_INVALID',
          `Row ${index + 1} has ${line.length} values, and the header names ${header.length} columns.`,
          { at },
        )
      }
      return Object.fromEntries(header.map((name, column) => [(name ?? '').trim(), line[column] ?? null]))
    })
}

function splitCsv(text: string): (string | null)[][] {
  const lines: (string | null)[][] = [[]]
  const field = /\s*(?:"((?:[^"]|"")*)"|([^",\r\n]*))[ \t]*(,|\r?\n|$)/gy
  for (let match = field.exec(text); match; match = field.exec(text)) {
    const [, quoted, plain = '', end] = match
    const trimmed = plain.trim()
    lines
      .at(-1)
      ?.push(
        quoted !== undefined ? quoted.replaceAll('""', '"') : trimmed === '' || trimmed === 'null' ? null : trimmed,
      )
    if (field.lastIndex >= text.length && end !== ',') break
    if (end !== ',') lines.push([])
    else if (field.lastIndex >= text.length) {
      lines.at(-1)?.push(null)
      break
    }
  }
  return lines
}

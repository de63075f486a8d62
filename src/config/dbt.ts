/**
 * A dbt project that has no configuration of ours: `dbt_project.yml` names a profile, and `profiles.yml` says where its targets are. What is not
 * run here, such as Snowflake, is replaced by a DuckDB file, with a note.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join, relative, resolve } from 'node:path'
import * as z from 'zod'
import { nearest, type Place, PlinthError } from '../errors.ts'
import { parseTemplate, renderTemplate, type TemplateFunction, type TemplateValue } from '../sql/template.ts'
import { parseYaml } from './yaml.ts'

export interface DbtFlags {
  readonly projectDir?: string | undefined
  readonly profilesDir?: string | undefined
  readonly profile?: string | undefined
  readonly target?: string | undefined
  /** Variables that profiles may use, as a mapping in YAML or JSON. */
  readonly vars?: string | undefined
}

export interface DbtSetting {
  /** Absolute folder of `dbt_project.yml`. */
  readonly folder: string
  readonly project: string
  readonly target: string
  readonly schema: string
  /** What templates may ask of `target` beyond that; no secrets. */
  readonly values: Readonly<Record<string, string>>
  readonly engine: 'duckdb' | 'bigquery'
  readonly url: string
  /** Statements with which each session of the warehouse begins. */
  readonly setup: readonly string[]
  readonly notes: readonly DbtNote[]
}

export interface DbtNote {
  readonly message: string
  readonly hint: string
}

type Variables = Readonly<Record<string, string | undefined>>

/** Reads what dbt would read to find its warehouse. Throws CONFIG_INVALID, FILE_UNREADABLE, FOLDER_NOT_FOUND. */
export async function readDbtSetting(
  folder: string,
  flags: DbtFlags,
  cwd: string,
  variables: Variables,
): Promise<DbtSetting> {
  const file = join(folder, 'dbt_project.yml')
  if (!existsSync(file))
    throw new PlinthError('FOLDER_NOT_FOUND', `There is no dbt project in ${relative(cwd, folder) || folder}.`, {
      at: { file },
      hint: 'A dbt project has a dbt_project.yml; name its folder with --project-dir.',
    })
  const shape = z.looseObject({ name: z.string(), profile: z.string().nullish() })
  const { value } = await parseYaml(await text(file), file, shape, 'CONFIG_INVALID', 'project')
  const render = await renderer(flags.vars, variables)
  const name = flags.profile ?? variables['DBT_PROFILE'] ?? render(value.profile ?? '', { file })
  const found = await findOutput({ folder, name, flags, cwd, variables, render })
  const local = `duckdb:${join(folder, '.plinth', 'warehouse.duckdb')}`
  const common = { folder, project: value.name }
  if ('note' in found)
    return {
      ...common,
      target: 'dev',
      schema: 'main',
      values: {},
      engine: 'duckdb',
      url: local,
      setup: [],
      notes: [found.note],
    }
  const { output, target, place } = found
  const field = (...keys: readonly string[]): string | undefined => {
    const key = keys.find(one => output[one] !== undefined && output[one] !== null)
    return key === undefined ? undefined : render(plain(output[key]), place([key]))
  }
  const type = field('type') ?? ''
  const fields = { ...common, target, field, output, place, local }
  if (type === 'duckdb') return duckdbSetting(fields)
  if (type === 'bigquery') return bigQuerySetting(fields)
  const schema = lenient(() => field('schema', 'dataset')) ?? 'main'
  const note = {
    message: `The target "${target}" of the profile "${name}" is ${type || 'of no type'}, which is not run here: the models go to the DuckDB file ${relative(cwd, local.slice('duckdb:'.length))}.`,
    hint: 'What only stands in that warehouse is missing there. Name another with --target, or a file with --database duckdb:FILE.',
  }
  return { ...common, target, schema, values: {}, engine: 'duckdb', url: local, setup: [], notes: [note] }
}

interface Fields {
  readonly folder: string
  readonly project: string
  readonly target: string
  readonly field: (...keys: readonly string[]) => string | undefined
  readonly output: Readonly<Record<string, unknown>>
  readonly place: (path: readonly PropertyKey[]) => Place
  readonly local: string
}

function duckdbSetting({ folder, project, target, field, output, place, local }: Fields): DbtSetting {
  const path = field('path') ?? ':memory:'
  if (/^(md|motherduck):/i.test(path) || output['is_ducklake'] === true)
    throw new PlinthError('CONFIG_INVALID', `The target "${target}" is not a file of DuckDB.`, {
      at: place(['path']),
      hint: 'MotherDuck and DuckLake are not run here. Name a file: --database duckdb:FILE.',
    })
  const notes =
    path === ':memory:'
      ? [
          {
            message: `The target "${target}" is a database in memory, which the next command would not find: the models go to .plinth/warehouse.duckdb.`,
            hint: 'Set path in profiles.yml to keep them elsewhere.',
          },
        ]
      : []
  const url = path === ':memory:' ? local : `duckdb:${isAbsolute(path) ? path : join(folder, path)}`
  const schema = field('schema') ?? 'main'
  const setup = setupOf(output, place, folder)
  const root = field('external_root')
  const values = { path, ...(root === undefined ? {} : { external_root: root }) }
  return { folder, project, target, schema, values, engine: 'duckdb', url, setup, notes }
}

/** dbt-duckdb's `extensions`, `settings` and `attach`. Throws CONFIG_INVALID for what else would change what models read. */
function setupOf(output: Fields['output'], place: Fields['place'], folder: string): string[] {
  const asked = ['plugins', 'secrets', 'filesystems'].find(key => given(output[key]).length > 0)
  if (asked !== undefined)
    throw new PlinthError('CONFIG_INVALID', `"${asked}" of a DuckDB target is not supported.`, {
      at: place([asked]),
      hint: 'Supported: path, schema, settings, extensions that DuckDB brings, and attach.',
    })
  const names = given(output['extensions']).map(one => (typeof one === 'string' ? one : plain(record(one)['name'])))
  const settings = Object.entries({ ...record(output['config_options']), ...record(output['settings']) })
  const attached = given(output['attach']).map(one => {
    const { path, alias, type, read_only: isReadOnly } = record(one)
    const options = [...(type ? [`type ${plain(type)}`] : []), ...(isReadOnly === true ? ['read_only'] : [])]
    const at = plain(path)
    const file = isAbsolute(at) || at.includes(':') || at === '' ? at : join(folder, at)
    return `attach if not exists ${quoted(file)}${alias ? ` as "${plain(alias).replaceAll('"', '""')}"` : ''}${options.length > 0 ? ` (${options.join(', ')})` : ''}`
  })
  return [
    ...names.filter(name => /^\w+$/.test(name) && !bringsItself.has(name)).map(name => `load ${name}`),
    ...settings.filter(([key]) => /^\w+$/.test(key)).map(([key, value]) => `set ${key} = ${quoted(plain(value))}`),
    ...attached,
  ]
}

/** Extensions that are a part of DuckDB. */
const bringsItself: ReadonlySet<string> = new Set(['parquet', 'json', 'icu', 'core_functions', 'autocomplete'])

function bigQuerySetting({ folder, project: name, target, field, place }: Fields): DbtSetting {
  const project = field('project', 'database')
  const schema = field('dataset', 'schema')
  if (project === undefined || schema === undefined)
    throw new PlinthError(
      'CONFIG_INVALID',
      `The BigQuery target "${target}" names no ${project === undefined ? 'project' : 'dataset'}.`,
      {
        at: place([]),
        hint: 'Set project and dataset.',
      },
    )
  const method = field('method') ?? 'oauth'
  if (!['oauth', 'service-account'].includes(method))
    throw new PlinthError(
      'CONFIG_INVALID',
      `The method "${method}" of the BigQuery target "${target}" is not supported.`,
      {
        at: place(['method']),
        hint: 'Supported: oauth, which takes the ambient credentials, and service-account with a keyfile.',
      },
    )
  const parts: readonly (readonly [string, string | undefined])[] = [
    ['location', field('location')],
    ['keyFile', method === 'service-account' ? field('keyfile') : undefined],
    ['maximumBytesBilled', field('maximum_bytes_billed')],
    ['endpoint', field('api_endpoint')],
  ]
  const settings = new URLSearchParams(
    parts.flatMap(([key, value]): [string, string][] => (value ? [[key, value]] : [])),
  )
  const query = settings.size > 0 ? `?${settings.toString()}` : ''
  const url = `bigquery://${project}/${schema}${query}`
  const values = { location: field('location') ?? '', method }
  return { folder, project: name, target, schema, values, engine: 'bigquery', url, setup: [], notes: [] }
}

interface Looking {
  readonly folder: string
  readonly name: string
  readonly flags: DbtFlags
  readonly cwd: string
  readonly variables: Variables
  readonly render: Render
}

interface Found {
  readonly output: Readonly<Record<string, unknown>>
  readonly target: string
  readonly place: (path: readonly PropertyKey[]) => Place
}

/** The profile's target, or a note of why there is none. */
async function findOutput({
  folder,
  name,
  flags,
  cwd,
  variables,
  render,
}: Looking): Promise<Found | { note: DbtNote }> {
  const named = flags.profilesDir ?? variables['DBT_PROFILES_DIR']
  const folders =
    named === undefined ? [folder, cwd, join(variables['HOME'] ?? homedir(), '.dbt')] : [resolve(cwd, named)]
  const file = folders.map(one => join(one, 'profiles.yml')).find(existsSync)
  const isAsked = flags.profile !== undefined || flags.target !== undefined || named !== undefined
  const nothing = (message: string, hint: string, at: Place): { note: DbtNote } => {
    if (isAsked) throw new PlinthError('CONFIG_INVALID', message, { at, hint })
    return { note: { message: `${message} The models go to .plinth/warehouse.duckdb.`, hint } }
  }
  if (file === undefined)
    return nothing(
      'There is no profiles.yml.',
      `dbt looks for it in ${folders.map(one => relative(cwd, one) || '.').join(', ')}.`,
      {
        file: join(folders[0] ?? folder, 'profiles.yml'),
      },
    )
  const profile = z.looseObject({
    target: z.string().nullish(),
    outputs: z.record(z.string(), z.looseObject({})).nullish(),
  })
  // Profiles of other projects stand in the same file, and may be of any form.
  const { value, place } = await parseYaml(
    await text(file),
    file,
    z.record(z.string(), z.unknown()),
    'CONFIG_INVALID',
    'profiles',
  )
  const known = Object.keys(value).filter(key => key !== 'config')
  const parsed = profile.safeParse(value[name])
  if (!parsed.success)
    return nothing(
      `There is no profile "${name}" in ${relative(cwd, file)}.`,
      known.length > 0 ? `Known: ${known.join(', ')}.` : 'The file names none.',
      place([]),
    )
  const outputs = parsed.data.outputs ?? {}
  const target =
    flags.target ?? variables['DBT_TARGET'] ?? render(parsed.data.target ?? 'default', place([name, 'target']))
  const output = outputs[target]
  if (output) return { output, target, place: path => place([name, 'outputs', target, ...path]) }
  const guess = nearest(target, Object.keys(outputs))
  throw new PlinthError('CONFIG_INVALID', `The profile "${name}" has no target "${target}".`, {
    at: place([name, 'outputs']),
    hint: guess ? `Did you mean "${guess}"?` : `Known: ${Object.keys(outputs).join(', ') || 'none'}.`,
  })
}

type Render = (text: string, at: Place) => string

/** Profiles know the environment, secrets of it as well, and the variables of the command line. */
async function renderer(given: string | undefined, environment: Variables): Promise<Render> {
  const { parse } = await import('yaml')
  const variables = given === undefined ? {} : record(parse(given))
  const lookUp =
    (of: Readonly<Record<string, unknown>>, what: string): TemplateFunction =>
    ([name, fallback]) => {
      const value = of[plain(name)] ?? fallback
      if (value !== undefined) return plain(value)
      throw new PlinthError('CONFIG_INVALID', `The ${what} ${plain(name)} is not set, but the profile needs it.`, {
        hint: what === 'variable' ? `Give it: --vars '{${plain(name)}: …}'.` : `Set ${plain(name)}.`,
      })
    }
  const values: Record<string, TemplateValue> = {
    env_var: lookUp(environment, 'environment variable'),
    var: lookUp(variables, 'variable'),
  }
  return (source, at) => {
    if (!/\{[{%]/.test(source)) return source
    try {
      return renderTemplate(parseTemplate({ file: at.file ?? '', source }), { macros: [], values }).sql
    } catch (error) {
      if (!(error instanceof PlinthError)) throw error
      throw new PlinthError('CONFIG_INVALID', error.message, { at, hint: error.hint, cause: error })
    }
  }
}

function lenient<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

async function text(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PlinthError('FILE_UNREADABLE', 'A file of the dbt project cannot be read.', {
      at: { file },
      cause: error,
    })
  })
}

function given(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : []
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

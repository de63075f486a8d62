/** Tables that live in files, dbt-duckdb's `external`: the rows are written to a location, and a view there reads them. */
import { mkdir } from 'node:fs/promises'
import { dirname, extname, isAbsolute, join } from 'node:path'
import type { Session } from '../../engines/engine.ts'
import type { Transform } from '../project/project.ts'
import { mappingOf, textOf } from '../project/shapes.ts'
import { spellingOf } from './cells.ts'
import { besides, countOf, targetName } from './staging.ts'

type Settings = Readonly<Record<string, unknown>>

export function isExternal({ config }: Pick<Transform, 'config'>): boolean {
  return config['materialized'] === 'external'
}

/** Where relative locations begin, and the profile's `external_root` for what names none. */
export interface Places {
  readonly folder: string
  readonly root: string
}

/** Writes what the query answers and makes the view. The SQL begins on the second line of its statement. */
export async function writeExternal(
  session: Session,
  transform: Transform,
  sql: string,
  places: Places,
): Promise<void> {
  const { config, table } = transform
  const staged = besides(transform, 'external')
  const rowsOf = targetName(session, staged)
  const location = locationOf(table, config, places)
  const options = writeOptions(location, config)
  await session.query(`create or replace table ${rowsOf} as select * from (\n${sql}\n) as result`)
  const columns = (await spellingOf(session).columns(session, staged.schema, staged.table)).map(({ name }) =>
    spellingOf(session).name(name),
  )
  // A file without rows tells no types, so that it gets one of nothing, which the view leaves out.
  const isEmpty = (await countOf(session, staged)) === 0
  if (isEmpty) await session.query(`insert into ${rowsOf} values (${columns.map(() => 'null').join(', ')})`)
  if (!isRemote(location)) await mkdir(dirname(location), { recursive: true })
  await session.query(`copy ${rowsOf} to ${quoted(location)} (${writtenOptions(options)})`)
  const condition = isEmpty ? ` where ${columns.map(name => `${name} is not null`).join(' and ')}` : ''
  await session.query(
    `create or replace view ${targetName(session, transform)} as select * from ${reader(location, options, config)}${condition}`,
  )
  await session.query(`drop table ${rowsOf}`)
}

function locationOf(table: string, config: Settings, { folder, root }: Places): string {
  const options = mappingOf(config['options'])
  const ending = options['partition_by'] === undefined ? `.${textOf(config['format']) ?? 'parquet'}` : ''
  const given = textOf(config['location']) ?? `${root}/${table}${ending}`
  return isRemote(given) || isAbsolute(given) ? given : join(folder, given)
}

function isRemote(location: string): boolean {
  return /^\w+:\/\//.test(location)
}

const compressions: Readonly<Record<string, string>> = { '.gz': 'gzip', '.zst': 'zstd' }

/** The options of the copy as the adapter fills them in: the format by the ending, a header for CSV. */
function writeOptions(location: string, config: Settings): Record<string, string> {
  const options: Record<string, string> = {}
  for (const [key, value] of Object.entries(mappingOf(config['options'])))
    options[key] = Array.isArray(value) ? (value as unknown[]).map(one => textOf(one) ?? '').join(', ') : word(value)
  for (const key of ['format', 'delimiter']) if (config[key]) options[key] = word(config[key])
  if (options['format'] === undefined) {
    const compression = compressions[extname(location).toLowerCase()]
    const ending = extname(compression ? location.slice(0, -extname(location).length) : location).toLowerCase()
    options['format'] = ending ? ending.slice(1) : options['delimiter'] === undefined ? 'parquet' : 'csv'
    if (ending && compression) options['compression'] ??= compression
  }
  if (options['format'] === 'csv') options['header'] ??= '1'
  const parts = options['partition_by']
  if (parts?.includes(',') && !parts.startsWith('(')) options['partition_by'] = `(${parts})`
  return options
}

function word(value: unknown): string {
  return typeof value === 'boolean' ? String(value) : (textOf(value) ?? '')
}

const texts: ReadonlySet<string> = new Set(['delimiter', 'quote', 'escape', 'null'])

function writtenOptions(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .map(([key, value]) => `${key} ${texts.has(key.toLowerCase()) && !value.startsWith("'") ? quoted(value) : value}`)
    .join(', ')
}

function reader(location: string, options: Readonly<Record<string, string>>, config: Settings): string {
  const given = options['format']?.toLowerCase() ?? 'parquet'
  const format = given === 'csv' || given === 'json' ? given : 'parquet'
  const fallback = format === 'parquet' ? { union_by_name: false } : { auto_detect: true }
  const compression = options['compression']
  const settings = {
    ...(format !== 'parquet' && compression ? { compression } : {}),
    ...(config[`${format}_read_options`] === undefined ? fallback : mappingOf(config[`${format}_read_options`])),
  }
  const parts = options['partition_by']?.split(',').length ?? 0
  const isFolder = parts > 0 || Boolean(options['per_thread_output'])
  const files = isFolder ? `${[location, '*', ...Array<string>(parts).fill('*')].join('/')}.${given}` : location
  const said = Object.entries(settings).map(
    ([key, value]) => `, ${key} = ${typeof value === 'string' ? quoted(value) : word(value)}`,
  )
  return `read_${format}(${quoted(files)}${said.join('')})`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

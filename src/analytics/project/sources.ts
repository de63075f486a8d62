/** Sources out of a properties file. */
import { join } from 'node:path'
import { type Place, PlinthError } from '../../errors.ts'
import { columnKind } from '../prove/canonical.ts'
import type { Names } from './compile.ts'
import { layered, treeLayers } from './configs.ts'
import { isEnabled } from './describe.ts'
import { sourceConfig } from './keys.ts'
import { renderSetting } from './naming.ts'
import type { Capture, Freshness, Source } from './project.ts'
import { described } from './files.ts'
import type { Part } from './members.ts'
import { mappingOf, type Properties, type PropertiesFile, textOf, wordsOf } from './shapes.ts'

type Group = NonNullable<Properties['sources']>[number]
type Table = NonNullable<Group['tables']>[number]

export interface Sourcing extends Pick<Part, 'where' | 'settings' | 'outer' | 'docs'> {
  /** Of the variables and macros alone. */
  readonly names: Names
}

/** Throws TRANSFORM_INVALID where a captured column has no type, or one that cannot be compared exactly. */
export async function sourcesOf(file: PropertiesFile, sourcing: Sourcing): Promise<Source[]> {
  const sources: Source[] = []
  for (const [groupIndex, group] of (file.value.sources ?? []).entries()) {
    for (const [index, table] of (group.tables ?? []).entries()) {
      const source = await sourceOf(file, group, groupIndex, table, index, sourcing)
      if (source) sources.push(source)
    }
  }
  return sources
}

async function sourceOf(
  { path: file, place }: PropertiesFile,
  group: Group,
  groupIndex: number,
  table: Table,
  index: number,
  { settings: project, outer, docs, names, where }: Sourcing,
): Promise<Source | null> {
  const groupPath = ['sources', groupIndex]
  const path = [...groupPath, 'tables', index]
  const steps = [project.value.name, ...file.split('/').slice(1, -1), group.name, table.name]
  const loose = ({ tags, meta, freshness, loaded_at_field, loaded_at_query }: Group | Table) =>
    Object.fromEntries(
      Object.entries({ tags, meta, freshness, loaded_at_field, loaded_at_query }).filter(
        ([, value]) => value !== undefined,
      ),
    )
  const layersOf = (owner: Group | Table, at: readonly PropertyKey[]) => [
    { values: loose(owner), place: (key: string) => place([...at, key]) },
    { values: owner.config ?? {}, place: (key: string) => place([...at, 'config', key]) },
  ]
  const { values, place: placeOf } = layered(
    [
      ...treeLayers(project.value.sources, steps, sourceConfig, at => project.place(['sources', ...at])),
      ...layersOf(group, groupPath),
      ...layersOf(table, path),
      ...(outer ? treeLayers(outer.value.sources, steps, sourceConfig, at => outer.place(['sources', ...at])) : []),
    ],
    sourceConfig,
    place([...path, 'name']),
  )
  if (!isEnabled(await renderSetting(values['enabled'], names, placeOf('enabled')))) return null
  const capture = captureOf(table)
  const columns = (table.columns ?? []).map((column, at) => ({
    name: column.name,
    type: column.data_type ?? '',
    place: place([...path, 'columns', at, 'name']),
  }))
  if (capture) checkCapture(capture, columns, place(path))
  const text = async (value: unknown, at: readonly PropertyKey[]) =>
    textOf(await renderSetting(value, names, place(at))) ?? ''
  const database = await text(group.database ?? values['database'] ?? '', [...groupPath, 'database'])
  const location = textOf(values['external_location'] ?? mappingOf(values['meta'])['external_location'])
  return {
    group: group.name,
    name: table.name,
    owner: where.owner,
    database: database === '' || database === names.surroundings.database ? null : database,
    location: location === undefined ? null : filesOf(location, table.name, where.folder),
    schema: await text(group.schema ?? group.name, [...groupPath, 'schema']),
    identifier: await text(table.identifier ?? table.name, [...path, 'identifier']),
    columns,
    capture,
    freshness: await freshnessOf(values, placeOf, names),
    description: described(table.description, docs, place([...path, 'description'])),
    tags: wordsOf(values['tags']),
    path: file,
    place: place([...path, 'name']),
  }
}

/** dbt-duckdb's place of files: names in braces are filled in, and a path is relative to the project. */
function filesOf(location: string, name: string, folder: string): string {
  const filled = location.replace(/\{(name|identifier)\}/g, name)
  if (filled.includes('(') || filled.startsWith("'")) return filled
  const isElsewhere = /^(\w+:)?[\\/]/.test(filled) || /^\w+:\/\//.test(filled)
  return `'${(isElsewhere ? filled : join(folder, filled)).replaceAll("'", "''")}'`
}

/** Null as well where a table takes back what its group asks for, by `freshness: null`. */
async function freshnessOf(
  values: Readonly<Record<string, unknown>>,
  place: (key: string) => Place,
  names: Names,
): Promise<Freshness | null> {
  const asked = mappingOf(values['freshness'])
  const warnAfterMs = ageOf(asked['warn_after'], place('freshness'))
  const errorAfterMs = ageOf(asked['error_after'], place('freshness'))
  if (warnAfterMs === null && errorAfterMs === null) return null
  const text = async (key: string, value: unknown) => textOf(await renderSetting(value, names, place(key))) ?? null
  const field = await text('loaded_at_field', values['loaded_at_field'])
  const query = await text('loaded_at_query', values['loaded_at_query'])
  if ((field === null) === (query === null)) {
    throw new PlinthError(
      'TRANSFORM_INVALID',
      field === null
        ? 'This source says how fresh it must be, but not by which column that is known.'
        : 'This source names both loaded_at_field and loaded_at_query.',
      { at: place('freshness'), hint: 'Set loaded_at_field to the column of the time at which a row was loaded.' },
    )
  }
  return {
    field,
    query,
    filter: await text('freshness', asked['filter']),
    warnAfterMs,
    errorAfterMs,
    place: place('freshness'),
  }
}

const periods: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

function ageOf(given: unknown, at: Place): number | null {
  const { count, period } = mappingOf(given)
  if (count === undefined || count === null) return null
  const length = typeof period === 'string' ? periods[period] : undefined
  if (typeof count === 'number' && length !== undefined) return count * length
  throw new PlinthError('TRANSFORM_INVALID', 'This is not an age.', {
    at,
    hint: 'Write {count: 12, period: hour}; periods are minute, hour and day.',
  })
}

function captureOf(table: Table): Capture | null {
  const given = (table.config?.meta ?? table.meta)?.plinth?.capture
  if (!given) return null
  return {
    table: given.table,
    marks: given.marks,
    timeColumn: given.time_column,
    organizationColumn: given.organization_column,
    shardFunction: given.shard_function,
    shards: given.shards,
    reconciledCells: given.reconciled_cells ?? null,
    seals: given.seals ?? null,
    retirements: given.retirements ?? null,
    maintain: given.maintain ?? null,
    retire: given.retire ?? null,
  }
}

function checkCapture(capture: Capture, columns: Source['columns'], at: Place): void {
  for (const column of columns) {
    if (!/^[a-z_][a-z0-9_]*$/i.test(column.name))
      throw invalid(`"${column.name}" is not a plain column name.`, column.place)
    if (column.type === '') throw invalid(`The column "${column.name}" has no data_type.`, column.place)
    if (columnKind(column.type) === undefined) {
      throw new PlinthError(
        'TRANSFORM_INVALID',
        `The type "${column.type}" of the column "${column.name}" cannot be captured.`,
        {
          at: column.place,
          hint: 'Capture uuid, text, boolean, date, timestamptz, smallint, integer, bigint and numeric(p, s), which both sides write alike.',
        },
      )
    }
  }
  const names = new Set(columns.map(column => column.name))
  for (const needed of [capture.timeColumn, capture.organizationColumn])
    if (!names.has(needed))
      throw invalid(`The captured table lists no column "${needed}", by which cells are told apart.`, at)
  for (const reserved of ['bucket_hour', 'shard'])
    if (names.has(reserved))
      throw invalid(`The column "${reserved}" is added by capture and cannot be a column of the source.`, at)
}

function invalid(message: string, at: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', message, { at })
}

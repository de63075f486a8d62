/** Sources out of a properties file. */
import { type Place, PlinthError } from '../errors.ts'
import { columnKind } from './canonical.ts'
import type { Capture, Source } from './project.ts'
import type { Properties, PropertiesFile } from './shapes.ts'

type Table = NonNullable<Properties['sources']>[number]['tables'][number]

/** Throws TRANSFORM_INVALID where a captured column has no type, or one that cannot be compared exactly. */
export function sourcesOf({ value, place }: PropertiesFile): Source[] {
  return (value.sources ?? []).flatMap((group, groupIndex) =>
    group.tables.map((table, tableIndex) => {
      const path = ['sources', groupIndex, 'tables', tableIndex]
      const capture = captureOf(table)
      const columns = (table.columns ?? []).map((column, index) => ({
        name: column.name,
        type: column.data_type ?? '',
        place: place([...path, 'columns', index, 'name']),
      }))
      if (capture) checkCapture(capture, columns, place(path))
      return {
        group: group.name,
        name: table.name,
        schema: group.schema ?? group.name,
        identifier: table.identifier ?? table.name,
        columns,
        capture,
        place: place([...path, 'name']),
      }
    }),
  )
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

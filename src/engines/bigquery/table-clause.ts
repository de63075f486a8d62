/** What dbt's settings of a table say of how BigQuery keeps it: partitions, clusters, options. */
import type { Overwrite } from '../engine.ts'
import { quoteName, quoteString } from './values.ts'

type Settings = Readonly<Record<string, unknown>>

export interface Partitioning {
  /** An expression of the partition of a row; `alias` qualifies its column. */
  readonly of: (alias: string) => string
  /** Its type. */
  readonly type: 'date' | 'timestamp' | 'datetime' | 'int64'
  /** What stands behind `partition by`. */
  readonly clause: string
}

/** Null for a table that is not partitioned. */
export function partitioningOf(settings: Settings): Partitioning | null {
  const given = mapping(settings['partition_by'])
  const field = text(given['field'])
  if (field === undefined) return null
  const type = kinds.find(kind => kind === text(given['data_type'])?.toLowerCase()) ?? 'date'
  const granularity = (text(given['granularity']) ?? 'day').toLowerCase()
  const column = (alias: string) => (alias === '' ? quoteName(field) : `${alias}.${quoteName(field)}`)
  if (type === 'int64') {
    const { start, end, interval } = mapping(given['range'])
    const bounds = [start, end, interval].map(one => text(one) ?? '0').join(', ')
    const whole = text(interval) ?? '1'
    return {
      type,
      of: alias => `div(${column(alias)}, ${whole}) * ${whole}`,
      clause: `range_bucket(${column('')}, generate_array(${bounds}))`,
    }
  }
  const of = (alias: string) =>
    type === 'date' && granularity === 'day' ? column(alias) : `${type}_trunc(${column(alias)}, ${granularity})`
  return { type, of, clause: of('') }
}

/** What stands between a table's name and its query; empty where the settings say nothing. */
export function tableClause(settings: Settings): string {
  const partitioning = partitioningOf(settings)
  const clusters = list(settings['cluster_by'])
  const number = (key: string) => (/^\d+(\.\d+)?$/.test(text(settings[key]) ?? '') ? text(settings[key]) : undefined)
  const days = number('partition_expiration_days')
  const hours = number('hours_to_expiration')
  const labels = Object.entries(mapping(settings['labels'])).map(
    ([key, value]) => `(${quoteString(key)}, ${quoteString(text(value) ?? '')})`,
  )
  const key = text(settings['kms_key_name'])
  const options = [
    ...(partitioning && days ? [`partition_expiration_days = ${days}`] : []),
    ...(partitioning && settings['require_partition_filter'] === true ? ['require_partition_filter = true'] : []),
    ...(hours ? [`expiration_timestamp = timestamp_add(current_timestamp(), interval ${hours} hour)`] : []),
    ...(labels.length > 0 ? [`labels = [${labels.join(', ')}]`] : []),
    ...(key ? [`kms_key_name = ${quoteString(key)}`] : []),
  ]
  return [
    ...(partitioning ? [`partition by ${partitioning.clause}`] : []),
    ...(clusters.length > 0 ? [`cluster by ${clusters.map(quoteName).join(', ')}`] : []),
    ...(options.length > 0 ? [`options (${options.join(', ')})`] : []),
  ].join('\n')
}

/** Replaces the partitions that new rows lie in, dbt's `insert_overwrite`. */
export function overwriteOf(settings: Settings): Overwrite | null {
  const partitioning = partitioningOf(settings)
  if (!partitioning) return null
  const { type, of } = partitioning
  return {
    partitions: table =>
      `select distinct cast(${of('rows_of')} as string) as partition_value from ${table} as rows_of where ${of('rows_of')} is not null`,
    statement: ({ table, from, columns, values, kind }) => {
      const listed = values.map(value => (kind === 'answered' ? `cast(${quoteString(value)} as ${type})` : value))
      const list = columns.join(', ')
      const isReplaced = listed.length === 0 ? 'false' : `${of('DBT_INTERNAL_DEST')} in (${listed.join(', ')})`
      return [
        `merge into ${table} as DBT_INTERNAL_DEST using ${from} as DBT_INTERNAL_SOURCE on false`,
        `when not matched by source and ${isReplaced} then delete`,
        `when not matched then insert (${list}) values (${columns.map(name => `DBT_INTERNAL_SOURCE.${name}`).join(', ')})`,
      ].join('\n')
    },
  }
}

const kinds = ['date', 'timestamp', 'datetime', 'int64'] as const

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function list(value: unknown): string[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).flatMap(one => text(one) ?? [])
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

/** What dbt calls a generic test that has no name of its own: the test, what it looks at, and its arguments by their names. Pure. */
import { reserved } from './generic.ts'
import { textOf } from './shapes.ts'

export interface NamedUse {
  /** Template expression of the table. */
  readonly relation: string
  /** Transform, or `group.name` of a source. */
  readonly subject: string
  readonly column: string | null
}

/** Such as `accepted_values_orders_status__placed__shipped` or `source_not_null_raw_orders_id`. */
export function dbtTestName(
  kind: string,
  { relation, subject, column }: NamedUse,
  given: Readonly<Record<string, unknown>>,
): string {
  const own = Object.entries(given).filter(([key]) => !reserved.has(key))
  const all: [string, unknown][] = [...own, ...(column === null ? [] : [['column_name', column] as [string, string]])]
  const words = all
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, value]) => partsOf(value))
    .map(word => word.replace(/[^0-9a-zA-Z_]+/g, '_'))
  const source = relation.startsWith('source(') ? 'source_' : ''
  return `${source}${kind.replace('.', '_')}_${subject.replace('.', '_')}_${words.join('__')}`
}

function partsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(written)
  return typeof value === 'object' && value !== null ? Object.values(value).map(written) : [written(value)]
}

/** As Python writes it. */
function written(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(quoted).join(', ')}]`
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, one]) => `${quoted(key)}: ${quoted(one)}`)
      .join(', ')}}`
  return textOf(value) ?? ''
}

function quoted(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : written(value)
}

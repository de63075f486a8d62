/**
 * One text for a row on both sides. Reconciliation compares hashes, so PostgreSQL and DuckDB must write every value alike: timestamps as
 * microseconds since 1970, decimals with their scale, text with its length in bytes so that no two rows share a text.
 */
export type ColumnKind = 'uuid' | 'text' | 'boolean' | 'date' | 'timestamp' | 'integer' | 'decimal'

export type Dialect = 'postgres' | 'duckdb' | 'bigquery'

export interface TypedColumn {
  readonly name: string
  readonly type: string
}

/** The kind of a type's name; undefined for types that the two sides do not write alike, such as floating point. */
export function columnKind(type: string): ColumnKind | undefined {
  return kinds.find(([pattern]) => pattern.test(type.trim()))?.[1]
}

/** An expression for the row's text. Columns that are null write `-`, which no value does. */
export function rowText(columns: readonly TypedColumn[], dialect: Dialect, alias: string): string {
  const parts = columns.map(column => valueText(column, dialect, `${alias}.${column.name}`))
  return parts.map(part => `coalesce(${part}, '-')`).join(` || '|' || `)
}

/** An exact sum of {@link rowHash}, or of a column. Sixty bits of more than eight rows need a wider number than BigQuery sums integers in. */
export function exactSum(value: string, dialect: Dialect): string {
  return dialect === 'bigquery' ? `sum(cast(${value} as bignumeric))` : `sum(${value})`
}

/**
 * Sixty bits of the row's MD5 as an integer. Their sum over a cell does not depend on order; two differing cells give equal sums by
 * chance once in about 10^18 comparisons.
 */
export function rowHash(columns: readonly TypedColumn[], dialect: Dialect, alias: string): string {
  const text = rowText(columns, dialect, alias)
  if (dialect === 'bigquery') return `cast('0x' || substr(to_hex(md5(${text})), 1, 15) as int64)`
  const digits = `substr(md5(${text}), 1, 15)`
  return dialect === 'postgres' ? `('x' || ${digits})::bit(60)::bigint` : `cast('0x' || ${digits} as bigint)`
}

/** Columns whose sums per cell are evidence beside the hash. */
export function summedColumns(columns: readonly TypedColumn[]): TypedColumn[] {
  return columns.filter(({ type }) => {
    const kind = columnKind(type)
    return kind === 'integer' || kind === 'decimal'
  })
}

const kinds: readonly (readonly [RegExp, ColumnKind])[] = [
  [/^uuid$/i, 'uuid'],
  [/^(text|varchar|string|character varying)$/i, 'text'],
  [/^bool(ean)?$/i, 'boolean'],
  [/^date$/i, 'date'],
  [/^(timestamptz|timestamp with time zone)$/i, 'timestamp'],
  [/^(smallint|integer|int|bigint|int2|int4|int8)$/i, 'integer'],
  [/^(numeric|decimal)\s*\(\s*\d+\s*,\s*\d+\s*\)$/i, 'decimal'],
]

function valueText({ type }: TypedColumn, dialect: Dialect, value: string): string {
  const kind = columnKind(type)
  if (dialect === 'postgres') {
    if (kind === 'text') return `octet_length(${value})::text || ':' || ${value}`
    if (kind === 'timestamp') return `(extract(epoch from ${value}) * 1000000)::bigint::text`
    if (kind === 'date') return `to_char(${value}, 'YYYY-MM-DD')`
    return kind === 'decimal' ? `${value}::${type}::text` : `${value}::text`
  }
  if (dialect === 'bigquery') return bigQueryText(kind, type, value)
  if (kind === 'text') return `strlen(${value})::varchar || ':' || ${value}`
  if (kind === 'timestamp') return `epoch_us(${value})::varchar`
  if (kind === 'date') return `strftime(${value}, '%Y-%m-%d')`
  return kind === 'decimal' ? `cast(${value} as ${type})::varchar` : `${value}::varchar`
}

/** BigQuery leaves out the zeros at the end of a decimal, which the others write. */
function bigQueryText(kind: ColumnKind | undefined, type: string, value: string): string {
  const text = `cast(${value} as string)`
  if (kind === 'text') return `cast(byte_length(${value}) as string) || ':' || ${value}`
  if (kind === 'timestamp') return `cast(unix_micros(${value}) as string)`
  if (kind !== 'decimal') return text
  const scale = Number(/,\s*(\d+)/.exec(type)?.[1] ?? 0)
  const short = `if(strpos(${text}, '.') > 0, rtrim(rtrim(${text}, '0'), '.'), ${text})`
  if (scale === 0) return short
  return `if(strpos(${short}, '.') > 0, rpad(${short}, strpos(${short}, '.') + ${scale}, '0'), ${short} || '.${'0'.repeat(scale)}')`
}

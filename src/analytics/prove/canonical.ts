/**
 * One text for a row on both sides. Reconciliation compares hashes, so PostgreSQL and BigQuery must write every value alike: timestamps as
 * microseconds since 1970, decimals with their scale, text with its length in bytes so that no two rows share a text.
 */
export type ColumnKind = 'uuid' | 'text' | 'boolean' | 'date' | 'timestamp' | 'integer' | 'decimal'

export type Dialect = 'postgres' | 'bigquery'

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

/** Digits behind the point; none for a type that has no decimals. */
export function scaleOf(type: string): number {
  return columnKind(type) === 'decimal' ? Number(/,\s*(\d+)/.exec(type)?.[1] ?? 0) : 0
}

/**
 * Two halves of 64 bits of the row's MD5 as integers. Their sums over a cell do not depend on order, and stay exact in 64 bits for two thousand
 * million rows; two differing cells give equal sums by chance once in about 10^19 comparisons.
 */
export function rowHashes(columns: readonly TypedColumn[], dialect: Dialect, alias: string): readonly [string, string] {
  const text = rowText(columns, dialect, alias)
  const half = (from: number) =>
    dialect === 'postgres'
      ? `('x' || substr(md5(${text}), ${from}, 8))::bit(32)::bigint`
      : `cast('0x' || substr(to_hex(md5(${text})), ${from}, 8) as int64)`
  return [half(1), half(9)]
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
  if (dialect === 'bigquery') return bigQueryText(kind, type, value)
  if (kind === 'text') return `octet_length(${value})::text || ':' || ${value}`
  if (kind === 'timestamp') return `(extract(epoch from ${value}) * 1000000)::bigint::text`
  if (kind === 'date') return `to_char(${value}, 'YYYY-MM-DD')`
  return kind === 'decimal' ? `${value}::${type}::text` : `${value}::text`
}

/** BigQuery leaves out the zeros at the end of a decimal, which the others write. */
function bigQueryText(kind: ColumnKind | undefined, type: string, value: string): string {
  const text = `cast(${value} as string)`
  if (kind === 'text') return `cast(byte_length(${value}) as string) || ':' || ${value}`
  if (kind === 'timestamp') return `cast(unix_micros(${value}) as string)`
  if (kind !== 'decimal') return text
  const scale = scaleOf(type)
  const point = `strpos(concat(${text}, '.'), '.')`
  if (scale === 0) return `substr(${text}, 1, ${point} - 1)`
  const padded = `concat(${text}, if(strpos(${text}, '.') > 0, '', '.'), '${'0'.repeat(scale)}')`
  return `substr(${padded}, 1, ${point} + ${scale})`
}

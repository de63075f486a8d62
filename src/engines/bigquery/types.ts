/** Types of columns: as the API says them, as people read them, and as DuckDB writes them into Parquet. */
import type { Field } from './values.ts'

export interface ApiField extends Field {
  readonly description?: string
  readonly defaultValueExpression?: string
  readonly precision?: string
  readonly scale?: string
  readonly maxLength?: string
  readonly collation?: string
  readonly fields?: readonly ApiField[]
}

/** As DDL has it, such as `NUMERIC(18, 6)` or `ARRAY<STRUCT<a INT64>>`. */
export function typeText(field: ApiField): string {
  const base = standard[field.type] ?? field.type
  const sized = field.precision
    ? `${base}(${field.precision}${field.scale ? `, ${field.scale}` : ''})`
    : field.maxLength
      ? `${base}(${field.maxLength})`
      : base
  const whole =
    base === 'STRUCT' ? `STRUCT<${(field.fields ?? []).map(one => `${one.name} ${typeText(one)}`).join(', ')}>` : sized
  return field.mode === 'REPEATED' ? `ARRAY<${whole}>` : whole
}

/** How a column of CSV goes through Parquet: the type that DuckDB reads and writes it as, and the one that BigQuery makes of that. */
export interface Passage {
  readonly read: string
  readonly written: string
  readonly loaded: string
}

/** From the type's name in PostgreSQL or DuckDB. A uuid would come out of Parquet as bytes, so it travels as text. */
export function passageOf(type: string): Passage {
  const name = type.trim().toLowerCase()
  const decimal = /^(?:numeric|decimal)(?:\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?$/.exec(name)
  if (decimal) {
    const precision = Number(decimal[1] ?? 38)
    const scale = Number(decimal[2] ?? (decimal[1] ? 0 : 9))
    const narrow = scale <= 9 && precision - scale <= 29
    const read = `decimal(${precision}, ${scale})`
    return { read, written: read, loaded: narrow ? 'NUMERIC' : 'BIGNUMERIC' }
  }
  const found = passages.find(([pattern]) => pattern.test(name))
  if (!found) return { read: 'varchar', written: 'varchar', loaded: 'STRING' }
  const [, read, loaded] = found
  return { read, written: loaded === 'STRING' ? 'varchar' : read, loaded }
}

const standard: Readonly<Record<string, string>> = {
  INTEGER: 'INT64',
  FLOAT: 'FLOAT64',
  BOOLEAN: 'BOOL',
  RECORD: 'STRUCT',
}

const passages: readonly (readonly [RegExp, string, string])[] = [
  [/^uuid$/, 'uuid', 'STRING'],
  [/^(text|varchar|string|character varying|char|json|jsonb)\b/, 'varchar', 'STRING'],
  [/^(timestamptz|timestamp with time zone)$/, 'timestamptz', 'TIMESTAMP'],
  [/^(timestamp|datetime)$/, 'timestamp', 'DATETIME'],
  [/^date$/, 'date', 'DATE'],
  [/^(smallint|integer|int|bigint|tinyint|int2|int4|int8|int64)$/, 'bigint', 'INTEGER'],
  [/^(double|double precision|float8|float64|real|float)$/, 'double', 'FLOAT'],
  [/^bool(ean)?$/, 'boolean', 'BOOLEAN'],
  [/^(blob|bytea|bytes)$/, 'blob', 'BYTES'],
]

/** A type in BigQuery's words, from its name in PostgreSQL, DuckDB or BigQuery. */
export function nameType(type: string): string {
  const isForeign =
    /^(uuid|text|varchar|character varying|char|jsonb|timestamptz|timestamp with time zone|double|double precision|real|float4|float8|bytea|blob|boolean|smallint|integer|bigint|hugeint|int2|int4|int8|(numeric|decimal)\s*\()/i
  if (!isForeign.test(type.trim())) return type
  const { loaded } = passageOf(type)
  return standard[loaded] ?? loaded
}

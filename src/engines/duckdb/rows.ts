/** Values between JavaScript and DuckDB, without loss, by the convention of `engine.ts`. */
import type * as DuckDb from '@duckdb/node-api'
import type { DuckDBType, DuckDBValue, DuckDBValueConverter } from '@duckdb/node-api'
import type { Value } from '../engine.ts'

export type DuckDbModule = typeof DuckDb

export interface Bound {
  readonly value: DuckDBValue
  readonly type: DuckDBType
}

/** A parameter with the narrowest type that holds it; DuckDB casts from there to what the statement needs. */
export function bind(duckdb: DuckDbModule, value: Value): Bound {
  if (value === null) return { value, type: duckdb.SQLNULL }
  if (typeof value === 'string') return { value, type: duckdb.VARCHAR }
  if (typeof value === 'boolean') return { value, type: duckdb.BOOLEAN }
  if (typeof value === 'bigint') return { value, type: isWide(value) ? duckdb.HUGEINT : duckdb.BIGINT }
  if (typeof value === 'number') return bindNumber(duckdb, value)
  if (value instanceof Uint8Array) return { value: new duckdb.DuckDBBlobValue(value), type: duckdb.BLOB }
  return bindList(duckdb, value)
}

/** Turns a DuckDB value into the value that rows of every engine hold. */
export function createConverter(duckdb: DuckDbModule): DuckDBValueConverter<unknown> {
  const id = duckdb.DuckDBTypeId
  const text = (value: DuckDBValue) => String(value)
  const plain = (value: DuckDBValue) => value
  const byType: Partial<
    Record<number, (value: never, type: never, convert: DuckDBValueConverter<unknown>) => unknown>
  > = {
    [id.BOOLEAN]: plain,
    [id.TINYINT]: plain,
    [id.SMALLINT]: plain,
    [id.INTEGER]: plain,
    [id.UTINYINT]: plain,
    [id.USMALLINT]: plain,
    [id.UINTEGER]: plain,
    [id.FLOAT]: plain,
    [id.DOUBLE]: plain,
    [id.VARCHAR]: (value: string, type: DuckDBType) => (type.alias === 'JSON' ? JSON.parse(value) : value),
    [id.BLOB]: (value: { bytes: Uint8Array }) => new Uint8Array(value.bytes),
    [id.TIMESTAMP]: (value: { micros: bigint }) => isoTimestamp(value.micros),
    [id.TIMESTAMP_TZ]: (value: { micros: bigint }) => isoTimestamp(value.micros),
    [id.TIMESTAMP_S]: (value: { seconds: bigint }) => isoTimestamp(value.seconds * 1_000_000n),
    [id.TIMESTAMP_MS]: (value: { millis: bigint }) => isoTimestamp(value.millis * 1000n),
    [id.LIST]: (value: { items: readonly DuckDBValue[] }, type: { valueType: DuckDBType }, convert) =>
      value.items.map(item => convert(item, type.valueType, convert)),
    [id.ARRAY]: (value: { items: readonly DuckDBValue[] }, type: { valueType: DuckDBType }, convert) =>
      value.items.map(item => convert(item, type.valueType, convert)),
    [id.STRUCT]: (
      value: { entries: Record<string, DuckDBValue> },
      type: { entryNames: readonly string[]; entryTypes: readonly DuckDBType[] },
      convert,
    ) =>
      Object.fromEntries(
        type.entryNames.map((name, i) => [
          name,
          convert(value.entries[name] ?? null, type.entryTypes[i] as DuckDBType, convert),
        ]),
      ),
    [id.MAP]: (
      value: { entries: readonly { key: DuckDBValue; value: DuckDBValue }[] },
      type: { valueType: DuckDBType },
      convert,
    ) =>
      Object.fromEntries(
        value.entries.map(entry => [String(entry.key), convert(entry.value, type.valueType, convert)]),
      ),
  }
  // Everything else (wide integers, decimals, dates, uuid, enum, interval) prints itself exactly.
  return (value, type, convert) => {
    if (value === null || value === undefined) return null
    return (byType[type.typeId] ?? text)(value as never, type as never, convert)
  }
}

/** `2026-01-31T12:00:00.123456Z`; DuckDB's infinities are kept by name. */
function isoTimestamp(micros: bigint): string {
  if (micros === 9223372036854775807n) return 'infinity'
  if (micros === -9223372036854775807n) return '-infinity'
  const second = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n
  const date = new Date(Number((micros - second) / 1000n))
  if (Number.isNaN(date.getTime())) return `${micros}us`
  return `${date.toISOString().slice(0, -4)}${second.toString().padStart(6, '0')}Z`
}

function bindNumber(duckdb: DuckDbModule, value: number): Bound {
  if (!Number.isInteger(value) || Object.is(value, -0)) return { value, type: duckdb.DOUBLE }
  if (value >= -2147483648 && value <= 2147483647) return { value, type: duckdb.INTEGER }
  return Number.isSafeInteger(value) ? { value: BigInt(value), type: duckdb.BIGINT } : { value, type: duckdb.DOUBLE }
}

function bindList(duckdb: DuckDbModule, items: readonly (string | number | boolean | null)[]): Bound {
  const present = items.filter(item => item !== null)
  const list = (element: DuckDBType, values: readonly DuckDBValue[] = items) => ({
    value: duckdb.listValue(values),
    type: duckdb.LIST(element),
  })
  if (present.length === 0) return list(duckdb.SQLNULL)
  if (present.every(item => typeof item === 'boolean')) return list(duckdb.BOOLEAN)
  if (!present.every(item => typeof item === 'number'))
    return list(
      duckdb.VARCHAR,
      items.map(item => (item === null ? null : String(item))),
    )
  if (present.every(item => Number.isSafeInteger(item))) {
    return list(
      duckdb.BIGINT,
      items.map(item => (item === null ? null : BigInt(item))),
    )
  }
  return list(duckdb.DOUBLE)
}

function isWide(value: bigint): boolean {
  return BigInt.asIntN(64, value) !== value
}

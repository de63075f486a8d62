/** How DuckDB spells what rollups say. */
import type { Session, Warehouse } from '../engine.ts'
import { loadCsv } from './write.ts'

export const warehouse: Warehouse = {
  relation: (schema, name) => `${quoted(schema)}.${quoted(name)}`,
  name: quoted,
  moment: (at, otherwise) => `timestamptz '${at ?? infinity[otherwise]}'`,
  day: (at, otherwise) => `date '${at ?? infinity[otherwise]}'`,
  dayOf: moment => `cast(make_timestamp(epoch_us(${moment})) as date)`,
  localStart: (moment, offsetSeconds, unit) =>
    `date_trunc('${unit}', make_timestamp(epoch_us(${moment}) + ${offsetSeconds} * 1000000::bigint))`,
  localHour: (moment, offsetSeconds) =>
    `make_timestamptz(epoch_us(date_trunc('hour', make_timestamp(epoch_us(${moment}) + ${offsetSeconds} * 1000000::bigint))) - ${offsetSeconds} * 1000000::bigint)`,
  // DuckDB answers `exists` of two columns by gathering all cells of the table first.
  isListed: (bucket, shard, cells) => `(${bucket}, ${shard}) in (select (bucket, shard) from ${cells})`,
  fingerprint: columns => `sum(hash(${columns.join(', ')}))`,
  asStored: (expression, type) => `cast(${expression} as ${type})`,
  columns: columnsOf,
  async describe(session, query) {
    const { rows } = await session.query<{ column_name: string }>(`describe select * from (\n${query}\n) as result`)
    return rows.map(row => row.column_name)
  },
  typeNamed: type => type,
  async describeTypes(session, query) {
    const { rows } = await session.query<{ column_name: string; column_type: string }>(
      `describe select * from (\n${query}\n) as result`,
    )
    return rows.map(row => ({ name: row.column_name, type: row.column_type }))
  },
  loadCsv,
}

const infinity = { 'before all': '-infinity', 'after all': 'infinity' } as const

async function columnsOf(
  session: Session,
  schema: string,
  name: string,
): Promise<{ readonly name: string; readonly type: string }[]> {
  const { rows } = await session.query<{ name: string; type: string }>(
    `select column_name as name, data_type as type
     from duckdb_columns()
     where database_name = current_database() and schema_name = $1 and table_name = $2
     order by column_index`,
    [schema, name],
  )
  return rows
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

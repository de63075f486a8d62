/** How DuckDB spells what rollups say. */
import { basename } from 'node:path'
import type { Warehouse } from '../engine.ts'
import { columnsOf, describeQuery, kindOf, quoted } from './columns.ts'
import { filePath } from './instance.ts'
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
  rowId: 'rowid',
  asStored: (expression, type) => `cast(${expression} as ${type})`,
  columns: columnsOf,
  kind: kindOf,
  catalog: url => basename(filePath(url) ?? 'memory').replace(/\..*$/, ''),
  async describe(session, query) {
    return (await describeQuery(session, query)).map(({ name }) => name)
  },
  typeNamed: type => type,
  describeTypes: describeQuery,
  loadCsv,
}

const infinity = { 'before all': '-infinity', 'after all': 'infinity' } as const

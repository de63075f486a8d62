/** How DuckDB spells what rollups say. */
import { basename } from 'node:path'
import type { Commented, Session, Warehouse } from '../engine.ts'
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
  isListed: (bucket, shard, cells, organization) =>
    organization === undefined
      ? `(${bucket}, ${shard}) in (select (bucket, shard) from ${cells})`
      : `(${bucket}, ${shard}, ${organization}) in (select (bucket, shard, organization) from ${cells})`,
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
  comment,
}

async function comment(session: Session, { kind, schema, table, description, columns }: Commented): Promise<void> {
  const said = (text: string) => (text === '' ? 'null' : `'${text.replaceAll("'", "''")}'`)
  const relation = `${quoted(schema)}.${quoted(table)}`
  if (description !== undefined) await session.query(`comment on ${kind} ${relation} is ${said(description)}`)
  if (columns.size === 0) return
  for (const { name } of await columnsOf(session, schema, table)) {
    const text = columns.get(name.toLowerCase())
    if (text !== undefined) await session.query(`comment on column ${relation}.${quoted(name)} is ${said(text)}`)
  }
}

const infinity = { 'before all': '-infinity', 'after all': 'infinity' } as const

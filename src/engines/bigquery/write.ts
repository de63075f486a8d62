/** How BigQuery spells what rollups say, and how rows come into it: as Parquet, in a load job, which costs nothing. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PlinthError } from '../../errors.ts'
import { withSession } from '../brackets.ts'
import type { Load, Session, Warehouse } from '../engine.ts'
import type { DuckDbSession } from '../duckdb/session.ts'
import type { Client } from './client.ts'
import { ensureDataset, isMissing } from './dataset.ts'
import { awaitJob, dryRun } from './job.ts'
import type { BigQuerySession } from './deferring.ts'
import { keepDescriptions } from './descriptions.ts'
import { overwriteOf, tableClause } from './table-clause.ts'
import { type ApiField, nameType, passageOf, typeText } from './types.ts'
import { parseAddress } from './url.ts'
import { quoteName, quoteString } from './values.ts'

export const warehouse: Warehouse = {
  relation: (schema, name) => `${quoteName(schema)}.${quoteName(name)}`,
  name: quoteName,
  moment: (at, otherwise) => `timestamp ${quoteString(at ?? moments[otherwise])}`,
  day: (at, otherwise) => `date ${quoteString(at ?? moments[otherwise].slice(0, 10))}`,
  dayOf: moment => `date(${moment}, 'UTC')`,
  localStart: (moment, offsetSeconds, unit) => {
    const local = `timestamp_micros(unix_micros(${moment}) + cast(${offsetSeconds} as int64) * 1000000)`
    if (unit !== 'week') return `timestamp_trunc(${local}, ${unit})`
    // Sunday is the first day of seven; so many days ago was Monday.
    return `timestamp_sub(timestamp_trunc(${local}, day), interval mod(extract(dayofweek from ${local}) + 5, 7) day)`
  },
  localHour: (moment, offsetSeconds) =>
    `timestamp_micros(unix_micros(timestamp_trunc(timestamp_micros(unix_micros(${moment}) + cast(${offsetSeconds} as int64) * 1000000), hour)) - cast(${offsetSeconds} as int64) * 1000000)`,
  isListed: (bucket, shard, cells) =>
    `exists (select 1 from ${cells} as cell where cell.bucket = ${bucket} and cell.shard = ${shard})`,
  // Lengths stand before the texts, so that no two rows share a text. Halves of the hash are summed, since a sum of integers has 64 bits as well.
  fingerprint: columns => {
    const parts = columns.map(column => {
      const text = `cast(${column} as string)`
      return `coalesce(concat(cast(byte_length(${text}) as string), ':', ${text}), '-')`
    })
    const digits = `to_hex(md5(concat(${parts.join(", '|', ")})))`
    const half = (from: number) => `cast(sum(cast(concat('0x', substr(${digits}, ${from}, 8)) as int64)) as string)`
    return `concat(${half(1)}, '/', ${half(9)})`
  },
  // BigQuery refuses a type that does not fit; what it changes on the way in is the scale alone.
  asStored: (expression, type) => {
    const scale = /^(?:BIG)?NUMERIC\(\d+(?:, (\d+))?\)$/.exec(type)
    return scale ? `round(${expression}, ${scale[1] ?? 0})` : expression
  },
  columns: (session, schema, name) => columnsOf(bigQuery(session).client, schema, name),
  kind: (session, schema, name) => kindOf(bigQuery(session).client, schema, name),
  catalog: url => parseAddress(url).project,
  async describe(session, query) {
    const { fields } = await estimate(session, `select * from (\n${query}\n) as result`)
    return fields.map(({ name }) => name)
  },
  typeNamed: nameType,
  async describeTypes(session, query) {
    const { fields } = await estimate(session, `select * from (\n${query}\n) as result`)
    // Both hold decimals exactly; which of them a sum has depends on what is summed.
    const wordOf = (type: string) => (type === 'BIGNUMERIC' ? 'NUMERIC' : type)
    return fields.map(({ name, type, mode }) => ({
      name,
      type: mode === 'REPEATED' ? `ARRAY<${wordOf(type)}>` : wordOf(type),
    }))
  },
  loadCsv,
  tableClause,
  comment: (session, described) => keepDescriptions(bigQuery(session).client, described),
  overwrite: overwriteOf,
  estimateBytes: async (session, query) => (await estimate(session, query)).bytes,
  deferred: {
    async stage(session, load) {
      const target = bigQuery(session)
      const { table } = await stage(target.client, load)
      target.afterwards(() => drop(target.client, table))
      return warehouse.relation('plinth', table)
    },
    assert: (session, condition, { code, message }) =>
      bigQuery(session).defer(`select if(${condition}, true, error(${quoteString(`PLINTH ${code}: ${message}`)}))`),
  },
}

const moments = {
  'before all': '0001-01-01T00:00:00.000000Z',
  'after all': '9999-12-31T23:59:59.999999Z',
} as const

/** Columns of a table or view in their order; empty when there is none. */
export async function columnsOf(
  client: Client,
  schema: string,
  name: string,
): Promise<readonly { readonly name: string; readonly type: string }[]> {
  try {
    const table = await client.request<{ readonly schema?: { readonly fields?: readonly ApiField[] } }>({
      uri: `/datasets/${schema}/tables/${name}`,
    })
    return (table.schema?.fields ?? []).map(field => ({ name: field.name, type: typeText(field) }))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function kindOf(client: Client, schema: string, name: string): Promise<'table' | 'view' | null> {
  try {
    const { type } = await client.request<{ readonly type?: string }>({ uri: `/datasets/${schema}/tables/${name}` })
    return type === 'VIEW' || type === 'MATERIALIZED_VIEW' ? 'view' : 'table'
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/**
 * A load job cannot be part of a transaction, so the rows go into a table of their own, and come over with the commit. That table ends by
 * itself within a day when its run dies.
 */
export async function loadCsv(session: Session, load: Load): Promise<number> {
  const target = bigQuery(session)
  const { table, rows } = await stage(target.client, load)
  target.afterwards(() => drop(target.client, table))
  const [schema = '', name = ''] = load.table.split('.')
  const names = load.columns.map(column => quoteName(column.name)).join(', ')
  await target.defer(`insert into ${warehouse.relation(schema, name)} (${names})
select ${names}
from ${warehouse.relation('plinth', table)}`)
  return rows
}

/** CSV into a table by its own types, at once. */
export async function copyCsv(
  session: BigQuerySession,
  copy: {
    readonly table: string
    readonly columns: readonly string[] | null
    readonly source: AsyncIterable<Uint8Array | string>
    readonly header: boolean
  },
): Promise<number> {
  const { client } = session
  const path = copy.table.split('.')
  const [schema, name] =
    path.length === 1 ? [client.address.dataset ?? '', path[0] ?? ''] : [path[0] ?? '', path[1] ?? '']
  const known = new Map((await columnsOf(client, schema, name)).map(column => [column.name, column.type]))
  const columns = (copy.columns ?? [...known.keys()]).map(column => ({
    name: column,
    type: known.get(column) ?? 'text',
  }))
  const { table, rows } = await stage(client, { columns, source: copy.source, header: copy.header })
  const values = columns.map(column =>
    column.type === 'JSON' ? `parse_json(${quoteName(column.name)})` : quoteName(column.name),
  )
  const names = columns.map(column => quoteName(column.name)).join(', ')
  try {
    await session.defer(`insert into ${warehouse.relation(schema, name)} (${names})
select ${values.join(', ')}
from ${warehouse.relation('plinth', table)}`)
    return rows
  } finally {
    await drop(client, table)
  }
}

interface Staged {
  readonly table: string
  readonly rows: number
}

async function stage(
  client: Client,
  { columns, source, header = false }: Pick<Load, 'columns' | 'source'> & { readonly header?: boolean },
): Promise<Staged> {
  await ensureDataset(client, 'plinth')
  const table = `load_${randomUUID().replaceAll('-', '')}`
  const folder = mkdtempSync(join(tmpdir(), 'plinth-parquet-'))
  try {
    const path = join(folder, 'rows.parquet')
    await writeParquet(path, { columns, source, header })
    await makeStaging(client, table, columns)
    return { table, rows: await upload(client, table, path) }
  } catch (error) {
    await drop(client, table).catch(() => undefined)
    throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** DuckDB reads CSV and writes Parquet, which BigQuery reads without guessing. */
async function writeParquet(
  path: string,
  { columns, source, header }: Pick<Load, 'columns' | 'source'> & { readonly header: boolean },
): Promise<void> {
  const { duckdb } = await import('../duckdb/index.ts')
  const { quoteLiteral } = await import('../duckdb/session.ts')
  await withSession(duckdb, 'duckdb::memory:', {}, async session => {
    const local = session as DuckDbSession
    const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
    const read = columns.map(({ name, type }) => `${quoteLiteral(name)}: ${quoteLiteral(passageOf(type).read)}`)
    const written = columns.map(
      ({ name, type }) => `cast(${quoted(name)} as ${passageOf(type).written}) as ${quoted(name)}`,
    )
    await local.withBulkFile(source, file =>
      local.query(
        `copy (
           select ${written.join(', ')}
           from read_csv(${quoteLiteral(file)}, columns = {${read.join(', ')}}, header = ${header}, delim = ',', quote = '"', escape = '"',
                         nullstr = '', allow_quoted_nulls = false, auto_detect = false)
         ) to ${quoteLiteral(path)} (format parquet)`,
      ),
    )
  })
}

const stagingMs = 86_400_000

async function makeStaging(client: Client, table: string, columns: Load['columns']): Promise<void> {
  const { project, labels } = client.address
  await client.request({
    method: 'POST',
    uri: '/datasets/plinth/tables',
    json: {
      tableReference: { projectId: project, datasetId: 'plinth', tableId: table },
      schema: { fields: columns.map(({ name, type }) => ({ name, type: passageOf(type).loaded })) },
      expirationTime: String(Date.now() + stagingMs),
      labels,
    },
  })
}

/** An upload that was cut off is begun again: it replaces the table's rows, so nothing is there twice. */
async function upload(client: Client, table: string, path: string): Promise<number> {
  const sent = { text: '', script: '', offset: 0, address: client.name }
  const { labels, location } = client.address
  return client.patiently(async attempt => {
    const jobId = `plinth_${table}_${attempt}`
    const [job] = await client.official
      .dataset('plinth')
      .table(table)
      .createLoadJob(path, {
        sourceFormat: 'PARQUET',
        writeDisposition: 'WRITE_TRUNCATE',
        jobId,
        ...(location === null ? {} : { location }),
        // The client's types do not know that labels are passed on.
        ...({ labels } as object),
      })
    const done = await awaitJob(client, job.id ?? jobId)
    return Number(done.statistics?.load?.outputRows ?? 0)
  }, sent)
}

async function drop(client: Client, table: string): Promise<void> {
  await client.request({ method: 'DELETE', uri: `/datasets/plinth/tables/${table}` }).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
}

async function estimate(session: Session, query: string) {
  const { client, address } = bigQuery(session)
  return dryRun(client, query, { text: query, script: query, offset: 0, address })
}

function bigQuery(session: Session): BigQuerySession {
  if ('defer' in session) return session as BigQuerySession
  throw new PlinthError('ENGINE_UNSUPPORTED', `A ${session.engine.name} session is not one of BigQuery.`)
}

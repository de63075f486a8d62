/** BigQuery's catalog as plain data, from the API's metadata, which costs nothing to read. */
import type { Column, Schema, Table, View } from '../../schema/model.ts'
import type { IntrospectOptions } from '../engine.ts'
import type { Client } from './client.ts'
import { isMissing, listDatasets } from './dataset.ts'
import { type ApiField, typeText } from './types.ts'

interface DatasetResource {
  readonly datasetReference: { readonly datasetId: string }
  readonly description?: string
}

interface TableResource {
  readonly tableReference: { readonly datasetId: string; readonly tableId: string }
  readonly type?: string
  readonly description?: string
  readonly schema?: { readonly fields?: readonly ApiField[] }
  readonly view?: { readonly query?: string }
  readonly materializedView?: { readonly query?: string }
  readonly timePartitioning?: { readonly type?: string; readonly field?: string; readonly expirationMs?: string }
  readonly rangePartitioning?: { readonly field?: string }
  readonly clustering?: { readonly fields?: readonly string[] }
  readonly requirePartitionFilter?: boolean
  readonly tableConstraints?: {
    readonly primaryKey?: { readonly columns?: readonly string[] }
    readonly foreignKeys?: readonly {
      readonly name?: string
      readonly referencedTable: { readonly datasetId: string; readonly tableId: string }
      readonly columnReferences: readonly { readonly referencingColumn: string; readonly referencedColumn: string }[]
    }[]
  }
}

export async function introspect(client: Client, options: IntrospectOptions): Promise<Schema> {
  const wanted = options.schemas ?? (await listDatasets(client)).filter(name => name !== 'plinth')
  const datasets: DatasetResource[] = []
  const resources: TableResource[] = []
  for (const name of [...wanted].sort()) {
    const found = await orNull(client.request<DatasetResource>({ uri: `/datasets/${name}` }))
    if (!found) continue
    datasets.push(found)
    resources.push(...(await readTables(client, name)))
  }
  const isView = ({ view, materializedView }: TableResource) => view !== undefined || materializedView !== undefined
  return {
    engine: 'bigquery',
    tables: resources.filter(resource => !isView(resource)).map(tableOf),
    views: resources.filter(isView).map(viewOf),
    enums: [],
    domains: [],
    routines: [],
    sequences: [],
    schemas: datasets
      .map(({ datasetReference, description }) => ({
        name: datasetReference.datasetId,
        comment: description || null,
        grants: [],
      }))
      .filter(({ name }) => options.schemas !== undefined || name !== client.address.dataset),
    extensions: [],
  }
}

/** Each table is a request of its own; eight at a time keep a large dataset quick and the quota calm. */
async function readTables(client: Client, dataset: string): Promise<TableResource[]> {
  const names: string[] = []
  let pageToken: string | undefined
  do {
    const page: { readonly tables?: readonly TableResource[]; readonly nextPageToken?: string } = await client.request({
      uri: `/datasets/${dataset}/tables`,
      qs: { maxResults: 1000, pageToken },
    })
    for (const { tableReference } of page.tables ?? []) names.push(tableReference.tableId)
    pageToken = page.nextPageToken
  } while (pageToken)
  const tables: (TableResource | null)[] = []
  for (let from = 0; from < names.length; from += 8) {
    const some = names.sort().slice(from, from + 8)
    tables.push(
      ...(await Promise.all(
        some.map(name => orNull(client.request<TableResource>({ uri: `/datasets/${dataset}/tables/${name}` }))),
      )),
    )
  }
  return tables.filter(table => table !== null)
}

function tableOf(resource: TableResource): Table {
  const { tableReference: place, tableConstraints: constraints, clustering } = resource
  const key = constraints?.primaryKey?.columns
  return {
    schema: place.datasetId,
    name: place.tableId,
    comment: resource.description || null,
    columns: columnsOf(resource),
    primaryKey: key ? { name: 'primary key', columns: key, qualifiers: 'not enforced' } : null,
    uniqueKeys: [],
    foreignKeys: (constraints?.foreignKeys ?? []).map(({ name, referencedTable, columnReferences }) => ({
      name: name ?? '',
      columns: columnReferences.map(({ referencingColumn }) => referencingColumn),
      references: `${referencedTable.datasetId}.${referencedTable.tableId}`,
      referencedColumns: columnReferences.map(({ referencedColumn }) => referencedColumn),
      onDelete: 'no action',
      onUpdate: 'no action',
      validated: false,
      deferrable: false,
    })),
    checks: [],
    exclusions: [],
    indexes: [],
    triggers: [],
    rowSecurity: { enabled: false, forced: false, policies: [] },
    partitioning: partitioningOf(resource),
    partitionOf: null,
    grants: [],
    options: [
      ...(clustering?.fields?.length ? [`cluster_by=${clustering.fields.join(',')}`] : []),
      ...(resource.timePartitioning?.expirationMs
        ? [`partition_expiration_ms=${resource.timePartitioning.expirationMs}`]
        : []),
      ...(resource.requirePartitionFilter ? ['require_partition_filter=true'] : []),
    ],
  }
}

function viewOf(resource: TableResource): View {
  return {
    schema: resource.tableReference.datasetId,
    name: resource.tableReference.tableId,
    materialized: resource.materializedView !== undefined,
    comment: resource.description || null,
    columns: columnsOf(resource),
    definition: resource.view?.query ?? resource.materializedView?.query ?? '',
    options: [],
    grants: [],
  }
}

function columnsOf({ schema }: TableResource): Column[] {
  return (schema?.fields ?? []).map(field => ({
    name: field.name,
    type: typeText(field),
    nullable: field.mode !== 'REQUIRED',
    default: field.defaultValueExpression ?? null,
    identity: null,
    generated: null,
    collation: field.collation || null,
    comment: field.description || null,
  }))
}

function partitioningOf({ timePartitioning, rangePartitioning }: TableResource): Table['partitioning'] {
  if (timePartitioning)
    return {
      strategy: 'range',
      key: `${timePartitioning.field ?? '_PARTITIONTIME'} by ${(timePartitioning.type ?? 'DAY').toLowerCase()}`,
    }
  return rangePartitioning ? { strategy: 'range', key: rangePartitioning.field ?? '' } : null
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

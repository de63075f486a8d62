/** Descriptions of tables, views and columns, which are a part of the table's resource: one request keeps them all, and none is sent for what is there. */
import type { Commented } from '../engine.ts'
import type { Client } from './client.ts'
import type { ApiField } from './types.ts'

/** Columns of records are named by their path, such as `address.street`. */
export async function keepDescriptions(
  client: Client,
  { schema, table, description, columns }: Commented,
): Promise<void> {
  const uri = `/datasets/${schema}/tables/${table}`
  const stored = await client.request<TableResource>({ uri })
  const before = stored.schema?.fields ?? []
  const fields = columns.size === 0 ? before : described(before, columns, '')
  const isSaid = description === undefined || description === (stored.description ?? '')
  if (isSaid && JSON.stringify(fields) === JSON.stringify(before)) return
  const json = { ...(isSaid ? {} : { description }), ...(columns.size === 0 ? {} : { schema: { fields } }) }
  await client.request({ method: 'PATCH', uri, json })
}

interface TableResource {
  readonly description?: string
  readonly schema?: { readonly fields?: readonly ApiField[] }
}

/** Everything else that is known of a field goes back as it came. */
function described(fields: readonly ApiField[], columns: Commented['columns'], path: string): ApiField[] {
  return fields.map(field => {
    const name = `${path}${field.name.toLowerCase()}`
    const text = columns.get(name)
    const inner = field.fields ? { fields: described(field.fields, columns, `${name}.`) } : {}
    const said = text === undefined || text === (field.description ?? '') ? {} : { description: text }
    return { ...field, ...said, ...inner }
  })
}

/** What templates can ask of transforms, seeds and snapshots: `model`, and the nodes of `graph`. */
import { strict, type TemplateValue } from '../../sql/template.ts'
import type { Known, Names } from './names.ts'
import { mappingOf } from './shapes.ts'

export interface Self {
  readonly schema: string
  readonly name: string
  readonly table?: string
}

/** The node that is being compiled, with the names that dbt gives its parts. */
export function nodeValue(names: Names, self: Self): TemplateValue {
  return strict('model', partsOf(names, names.transforms.get(self.name) ?? self, self))
}

/** All nodes by their unique ids. */
export function nodeValues(names: Names): TemplateValue {
  const all = [...names.transforms.values()]
  return Object.fromEntries(all.map(one => [uniqueId(names, one), partsOf(names, one, one)]))
}

function uniqueId(names: Names, { kind, name, owner }: Pick<Known, 'kind' | 'name' | 'owner'>): string {
  return `${kind ?? 'model'}.${owner ?? names.project ?? names.packageName}.${name}`
}

function partsOf(names: Names, known: Known, self: Self): Record<string, TemplateValue> {
  const { surroundings } = names
  const packageName = known.owner ?? names.project ?? names.packageName
  const { name, kind = 'model', path = `${name}.sql`, tags = [], description = '' } = known
  const settings: Record<string, unknown> = {
    ...known.config,
    ...(known.materialized === undefined ? {} : { materialized: known.materialized }),
  }
  const ids = [
    ...(known.refs ?? []).map(ref => uniqueId(names, names.transforms.get(ref) ?? { name: ref })),
    ...(known.sources ?? []).map(key => `source.${packageName}.${key}`),
  ]
  const columns = (known.columns ?? []).map(column => [
    column.name,
    { name: column.name, data_type: column.type, description: column.description, meta: {} },
  ])
  return {
    name,
    alias: self.table ?? name,
    schema: self.schema,
    database: surroundings.database ?? '',
    resource_type: kind,
    unique_id: uniqueId(names, known),
    package_name: packageName,
    path: path.split('/').slice(1).join('/'),
    original_file_path: path,
    fqn: [packageName, ...path.split('/').slice(1, -1), name],
    config: settings as TemplateValue,
    meta: mappingOf(settings['meta']) as TemplateValue,
    tags: (settings['tags'] ?? tags) as TemplateValue,
    description,
    columns: Object.fromEntries(columns) as TemplateValue,
    refs: known.refs ?? [],
    sources: known.sources ?? [],
    depends_on: { nodes: ids, macros: [] },
  }
}

/** What transforms say of themselves: settings laid over each other, dependencies learned by rendering, columns and contracts. */
import { nearest, type Place, PlinthError } from '../../errors.ts'
import type { Names } from './compile.ts'
import { type Layer, layered, type Settings, treeLayers } from './configs.ts'
import { hooksOf } from './hooks.ts'
import { incrementOf, snapshotOf } from './increments.ts'
import { modelConfig, snapshotConfig } from './keys.ts'
import { renderSetting, schemaOf, tableNameOf } from './naming.ts'
import { observed, refuseMoments, withHooks } from './observe.ts'
import type { Transform } from './project.ts'
import { columnsOf, contractOf, type Patch } from './promises.ts'
import { described, type TemplateAt } from './files.ts'
import type { Part } from './members.ts'
import { isYes, mappingOf, type PropertiesFile, textOf, wordsOf } from './shapes.ts'

/** A transform before the schemas of all are known, or null for one that is switched off. */
export interface Described {
  readonly name: string
  readonly transform: (Omit<Transform, 'materialized'> & { readonly materialized: Materialized }) | null
}

type Materialized = Transform['materialized'] | 'ephemeral'

export interface Describing extends Pick<Part, 'where' | 'settings' | 'outer' | 'docs'> {
  /** With all transforms by name, whatever their schemas. */
  readonly names: Names
}

/** What properties files say, by name. */
export type Patches = Readonly<Record<string, Patch | undefined>>

/** Properties by the name of what they describe; those of nothing are told, as dbt tells them. Throws TRANSFORM_INVALID for two of one. */
export function patchesOf(
  files: readonly PropertiesFile[],
  kind: 'models' | 'seeds' | 'snapshots',
  known: readonly string[],
): { readonly patches: Patches; readonly notes: readonly string[] } {
  const patches: Record<string, Patch> = {}
  const notes: string[] = []
  const noun = { models: 'transform', seeds: 'seed', snapshots: 'snapshot' }[kind]
  for (const { value, place, path: file } of files) {
    for (const [index, model] of (value[kind] ?? []).entries()) {
      const at = place([kind, index, 'name'])
      if (Object.hasOwn(patches, model.name))
        throw new PlinthError('TRANSFORM_INVALID', `The ${noun} "${model.name}" is described twice.`, { at })
      if (!known.includes(model.name)) {
        const guess = nearest(model.name, known)
        const meant = guess ? `; did you mean "${guess}"?` : '.'
        notes.push(`${at.file ?? ''}:${at.line ?? 1} describes a ${noun} "${model.name}", which is not there${meant}`)
        continue
      }
      patches[model.name] = { model, path: file, place: path => place([kind, index, ...path]) }
    }
  }
  return { patches, notes }
}

/** A file of a transform, or a block or entry of a snapshot. */
export interface Draft extends TemplateAt {
  readonly name: string
  readonly kind: Transform['kind']
}

/** Renders a transform in both modes, since a dependency may stand in a branch, and reads what it says of itself. */
export async function describeTransform(
  draft: Draft,
  patch: Patch | undefined,
  describing: Describing,
): Promise<Described> {
  const { names } = describing
  const { name, kind, template, path } = draft
  const known = kind === 'model' ? modelConfig : snapshotConfig
  const first = { file: template.file, line: 1, source: template.source }
  const outer = outerLayers(draft, patch, describing)
  const last = lastLayers(draft, describing)
  const before = layered([...outer, ...last], known, first)
  if (!isEnabled(await renderSetting(before.values['enabled'], names, before.place('enabled'))))
    return { name, transform: null }
  const layers: Layer[] = []
  const seen = await observed(name, template, names, { layers }).catch((error: unknown) => {
    // One that switches itself off may refer to what is not there any more.
    if (layers.some(({ values }) => !isEnabled(values['enabled']))) return null
    throw error
  })
  if (!seen) return { name, transform: null }
  const laid = layered([...outer, ...layers, ...last], known, first)
  const settings = { ...laid, values: await renderedSettings(laid, names) }
  const { values, place } = settings
  if (!isEnabled(values['enabled'])) return { name, transform: null }
  const materialized = kind === 'snapshot' ? 'snapshot' : materializedOf(name, settings, names)
  refuseOtherDatabase(name, settings, names)
  const tags = wordsOf(values['tags'])
  const node = { name, kind, path, tags, config: values }
  const cell = materialized === 'incremental' ? cellOf(name, values['meta'], first) : null
  if (cell) await refuseMoments(name, template, names)
  const table = await tableNameOf(values['alias'], node, names, place('alias'))
  if (cell && table !== name) throw aliased(name, table, place('alias'))
  const columns = columnsOf(patch, describing.docs)
  const hooks = hooksOf(settings, template.owner)
  const reads = await withHooks(seen, hooks, name, names)
  // The place that older snapshots name is taken as it stands.
  const target = kind === 'snapshot' ? textOf(values['target_schema']) : undefined
  return {
    name,
    transform: {
      name,
      kind,
      owner: template.owner,
      schema: target ?? (await schemaOf(values['schema'], node, names, place('schema'))),
      table,
      template,
      materialized,
      hooks,
      increment:
        materialized === 'incremental' && !cell ? incrementOf(name, settings, names.surroundings.engine) : null,
      snapshot: materialized === 'snapshot' ? snapshotOf(name, settings, first) : null,
      cell,
      ...reads,
      reads,
      path,
      patchPath: patch?.path,
      grantsPlace: values['grants'] === undefined ? undefined : place('grants'),
      description: described(patch?.model.description, describing.docs, patch?.place(['description']) ?? first),
      tags,
      config: values,
      columns,
      contract: isYes(mappingOf(values['contract'])['enforced'])
        ? contractOf(name, columns, patch, place('contract'), materialized)
        : null,
    },
  }
}

/** Hooks are rendered when they run. */
async function renderedSettings({ values, place }: Settings, names: Names): Promise<Record<string, unknown>> {
  const rendered: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(values))
    rendered[key] = key.endsWith('_hook') ? value : await renderSetting(value, names, place(key))
  return rendered
}

/** The settings around a file: the project's tree, then its properties. */
function outerLayers({ name, kind, path }: Draft, patch: Patch | undefined, { settings }: Describing): Layer[] {
  const { value, place } = settings
  const tree = kind === 'model' ? 'models' : 'snapshots'
  const steps = [value.name, ...path.split('/').slice(1, -1), name]
  const known = kind === 'model' ? modelConfig : snapshotConfig
  const layers = treeLayers(value[tree], steps, known, at => place([tree, ...at]))
  if (!patch) return layers
  const { config, meta, tags } = patch.model
  const loose = { ...(meta ? { meta } : {}), ...(tags ? { tags } : {}) }
  return [
    ...layers,
    { values: loose, place: key => patch.place([key]) },
    { values: config ?? {}, place: key => patch.place(['config', key]) },
  ]
}

/** A project has the last word on what its packages bring. */
function lastLayers({ name, kind, path }: Draft, { settings, outer }: Describing): Layer[] {
  if (!outer) return []
  const tree = kind === 'model' ? 'models' : 'snapshots'
  const steps = [settings.value.name, ...path.split('/').slice(1, -1), name]
  const known = kind === 'model' ? modelConfig : snapshotConfig
  return treeLayers(outer.value[tree], steps, known, at => outer.place([tree, ...at]))
}

export function isEnabled(value: unknown): boolean {
  return value === undefined || value === null || isYes(value)
}

function materializedOf(name: string, { values, place }: Settings, { surroundings }: Names): Materialized {
  const materialized = textOf(values['materialized']) ?? 'view'
  if (materialized === 'external' && (surroundings.engine ?? 'duckdb') === 'duckdb') {
    refuseExternal(name, { values, place })
    return 'view'
  }
  const known = ['incremental', 'table', 'view', 'ephemeral'] as const
  const found = known.find(one => one === materialized)
  if (found) return found
  throw new PlinthError(
    'TRANSFORM_INVALID',
    `"${name}" is materialized as "${materialized}", which is not supported.`,
    { at: place('materialized'), hint: `Supported: ${known.join(', ')}.` },
  )
}

/** Throws TRANSFORM_INVALID for what a view on files cannot be made of. */
function refuseExternal(name: string, { values, place }: Settings): void {
  const formats = ['csv', 'parquet', 'json']
  const format = textOf(values['format'])
  const options = values['options'] ?? {}
  const refuse = (key: string, message: string, hint: string) => {
    throw new PlinthError('TRANSFORM_INVALID', `"${name}" ${message}`, { at: place(key), hint })
  }
  if (format !== undefined && !formats.includes(format))
    refuse('format', `is written as "${format}", which is not supported.`, `Supported: ${formats.join(', ')}.`)
  if (typeof options !== 'object' || Array.isArray(options))
    refuse('options', 'has options that are no mapping.', "Write options={'partition_by': 'day'}.")
  const registered = ['plugin', 'glue_register'].find(key => values[key])
  if (registered !== undefined)
    refuse(
      registered,
      'would be registered elsewhere, which is not supported.',
      'Supported: location, format, options.',
    )
}

/** One project fills one warehouse. */
function refuseOtherDatabase(name: string, { values, place }: Settings, { surroundings }: Names): void {
  const database = textOf(values['database']) ?? textOf(values['target_database'])
  if (database === undefined || database === surroundings.database) return
  throw new PlinthError('TRANSFORM_INVALID', `"${name}" names another database, which is not supported.`, {
    at: place(values['database'] === undefined ? 'target_database' : 'database'),
    hint: 'The warehouse is one database; set a schema instead.',
  })
}

/** What is kept by cells is found by its transform's name in ledgers and reports. */
function aliased(name: string, table: string, at: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', `"${name}" is replaced by cells and cannot have another name.`, {
    at,
    hint: `Its table has the name of its file: rename the file to ${table}.sql.`,
  })
}

/** Null for a transform that does not say what its cells are: it is made anew as a whole, which is right and slower. */
function cellOf(name: string, meta: unknown, place: Place): Transform['cell'] {
  const plinth = mappingOf(meta)['plinth']
  if (plinth === undefined) return null
  const { bucket, grain, shard, organization } = mappingOf(plinth)
  if (typeof bucket === 'string' && typeof shard === 'string' && (grain === 'hour' || grain === 'day'))
    return { bucket, grain, shard, ...(typeof organization === 'string' ? { organization } : {}) }
  throw new PlinthError('TRANSFORM_INVALID', `The incremental transform "${name}" does not say what its cells are.`, {
    at: place,
    hint: "Write config(meta={'plinth': {'bucket': 'bucket_hour', 'grain': 'hour', 'shard': 'shard'}}), or materialize it as a table.",
  })
}

/** What transforms say of themselves: settings laid over each other, dependencies learned by rendering, columns and contracts. */
import { basename } from 'node:path'
import { nearest, type Place, PlinthError } from '../../errors.ts'
import type { Template, TemplateValue } from '../../sql/template.ts'
import { compile, type Names } from './compile.ts'
import { type Layer, layered, type Settings, treeLayers } from './configs.ts'
import { modelConfig } from './keys.ts'
import { renderSetting, schemaOf } from './naming.ts'
import type { Transform } from './project.ts'
import { columnsOf, contractOf, type Patch } from './promises.ts'
import { described, type SettingsFile, type TemplateAt } from './files.ts'
import { isYes, mappingOf, type PropertiesFile, textOf, wordsOf } from './shapes.ts'

/** A transform before the schemas of all are known, or null for one that is switched off. */
export interface Described {
  readonly name: string
  readonly transform: (Omit<Transform, 'materialized'> & { readonly materialized: Materialized }) | null
}

type Materialized = Transform['materialized'] | 'ephemeral'

export interface Describing {
  readonly settings: SettingsFile
  readonly properties: readonly PropertiesFile[]
  readonly docs: ReadonlyMap<string, string>
  /** With all transforms by name, whatever their schemas. */
  readonly names: Names
}

/** Properties by the name of the transform. Throws TRANSFORM_INVALID for two of one, and for one of none. */
export function patchesOf(files: readonly PropertiesFile[], known: readonly string[]): ReadonlyMap<string, Patch> {
  const patches = new Map<string, Patch>()
  for (const { value, place } of files) {
    for (const [index, model] of (value.models ?? []).entries()) {
      const at = place(['models', index, 'name'])
      if (patches.has(model.name))
        throw new PlinthError('TRANSFORM_INVALID', `The transform "${model.name}" is described twice.`, { at })
      if (!known.includes(model.name)) {
        const guess = nearest(model.name, known)
        throw new PlinthError('TRANSFORM_INVALID', `There is no transform "${model.name}" to be described.`, {
          at,
          hint: guess ? `Did you mean "${guess}"?` : `Known transforms: ${known.join(', ') || 'none'}.`,
        })
      }
      patches.set(model.name, { model, place: path => place(['models', index, ...path]) })
    }
  }
  return patches
}

/** Renders a transform in both modes, since a dependency may stand in a branch, and reads what it says of itself. */
export async function describeTransform(
  { template, path }: TemplateAt,
  patch: Patch | undefined,
  describing: Describing,
): Promise<Described> {
  const { names } = describing
  const name = basename(template.file, '.sql')
  const first = { file: template.file, line: 1, source: template.source }
  const outer = outerLayers(name, path, patch, describing)
  const before = layered(outer, modelConfig, first)
  if (!isEnabled(await renderSetting(before.values['enabled'], names, before.place('enabled'))))
    return { name, transform: null }
  const layers: Layer[] = []
  const seen = await observed(name, template, names, { layers }).catch((error: unknown) => {
    // One that switches itself off may refer to what is not there any more.
    if (layers.some(({ values }) => !isEnabled(values['enabled']))) return null
    throw error
  })
  if (!seen) return { name, transform: null }
  const { refs, sources } = seen
  const settings = layered([...outer, ...layers], modelConfig, first)
  const { values, place } = settings
  if (!isEnabled(values['enabled'])) return { name, transform: null }
  const materialized = materializedOf(
    name,
    await renderSetting(values['materialized'], names, place('materialized')),
    place,
  )
  refuseOtherNames(name, settings)
  const tags = wordsOf(values['tags'])
  const schema = await renderSetting(values['schema'], names, place('schema'))
  const cell = materialized === 'incremental' ? cellOf(name, values['meta'], first) : null
  if (cell) await refuseMoments(name, template, names)
  const columns = columnsOf(patch, describing.docs)
  return {
    name,
    transform: {
      name,
      schema: await schemaOf(schema, { name, kind: 'model', path, tags }, names, place('schema')),
      template,
      materialized,
      cell,
      refs,
      sources,
      reads: { refs, sources },
      path,
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

/** The settings around a file: the project's tree, then its properties. */
function outerLayers(name: string, path: string, patch: Patch | undefined, { settings }: Describing): Layer[] {
  const { value, place } = settings
  const folders = path.split('/').slice(1, -1)
  const layers = treeLayers(value.models, [value.name, ...folders, name], modelConfig, at => place(['models', ...at]))
  if (!patch) return layers
  const { config, meta, tags } = patch.model
  const loose = { ...(meta ? { meta } : {}), ...(tags ? { tags } : {}) }
  return [
    ...layers,
    { values: loose, place: key => patch.place([key]) },
    { values: config ?? {}, place: key => patch.place(['config', key]) },
  ]
}

interface Observed {
  readonly refs: readonly string[]
  readonly sources: readonly string[]
  readonly layers: readonly Layer[]
}

interface Observing {
  readonly overrides?: Readonly<Record<string, TemplateValue>>
  /** Filled while rendering, so that it tells what was set before a failure. */
  readonly layers?: Layer[]
}

/** What rendering a template in both modes uses and sets. */
export async function observed(
  name: string,
  template: Template,
  names: Names,
  { overrides = {}, layers = [] }: Observing = {},
): Promise<Observed> {
  const refs = new Set<string>()
  const sources = new Set<string>()
  for (const mode of ['whole', 'cells'] as const) {
    const observe = {
      ref: (ref: string) => refs.add(ref),
      source: (source: string) => sources.add(source),
      config: (values: Readonly<Record<string, unknown>>, place: Place) => layers.push({ values, place: () => place }),
    }
    await compile(template, names, {
      engine: 'duckdb',
      mode,
      self: { schema: names.surroundings.schema, name },
      overrides,
      observe,
    })
  }
  return { refs: [...refs].sort(), sources: [...sources].sort(), layers }
}

export function isEnabled(value: unknown): boolean {
  return value === undefined || value === null || isYes(value)
}

function materializedOf(name: string, given: unknown, place: Settings['place']): Materialized {
  const materialized = textOf(given) ?? 'view'
  const known = ['incremental', 'table', 'view', 'ephemeral'] as const
  const found = known.find(one => one === materialized)
  if (found) return found
  throw new PlinthError(
    'TRANSFORM_INVALID',
    `"${name}" is materialized as "${materialized}", which is not supported.`,
    { at: place('materialized'), hint: `Supported: ${known.join(', ')}.` },
  )
}

/** A table is found by its transform's name in ledgers and reports, and one project fills one warehouse. */
function refuseOtherNames(name: string, { values, place }: Settings): void {
  const alias = textOf(values['alias'])
  if (alias !== undefined && alias !== name) {
    throw new PlinthError('TRANSFORM_INVALID', `The alias "${alias}" of "${name}" is not supported.`, {
      at: place('alias'),
      hint: `A table has the name of its file: rename the file to ${alias}.sql.`,
    })
  }
  if (values['database'] !== undefined && values['database'] !== null) {
    throw new PlinthError('TRANSFORM_INVALID', `"${name}" names a database, which is not supported.`, {
      at: place('database'),
      hint: 'The warehouse is one database; set a schema instead.',
    })
  }
}

/** Null for a transform that does not say what its cells are: it is made anew as a whole, which is right and slower. */
function cellOf(name: string, meta: unknown, place: Place): Transform['cell'] {
  const plinth = mappingOf(meta)['plinth']
  if (plinth === undefined) return null
  const { bucket, grain, shard } = mappingOf(plinth)
  if (typeof bucket === 'string' && typeof shard === 'string' && (grain === 'hour' || grain === 'day'))
    return { bucket, grain, shard }
  throw new PlinthError('TRANSFORM_INVALID', `The incremental transform "${name}" does not say what its cells are.`, {
    at: place,
    hint: "Write config(meta={'plinth': {'bucket': 'bucket_hour', 'grain': 'hour', 'shard': 'shard'}}), or materialize it as a table.",
  })
}

/** A cell is replaced when its rows change and at no other time, so it must not hold what differs from run to run. */
async function refuseMoments(name: string, template: Template, names: Names): Promise<void> {
  const at = async (startedAt: string, runId: string) => {
    const moment = { startedAt, runId }
    return (await compile(template, names, { engine: 'duckdb', mode: 'whole', self: { schema: '', name }, moment })).sql
  }
  if ((await at('2001-01-01T00:00:00.000Z', 'one')) === (await at('2002-02-02T02:02:02.000Z', 'two'))) return
  throw new PlinthError('TRANSFORM_INVALID', `"${name}" is replaced by cells and differs from run to run.`, {
    at: { file: template.file, line: lineOfMoment(template.source), source: template.source },
    hint: 'Leave run_started_at and invocation_id to tables, views and checks.',
  })
}

function lineOfMoment(source: string): number {
  const at = source.search(/run_started_at|invocation_id/)
  return at < 0 ? 1 : source.slice(0, at).split('\n').length
}

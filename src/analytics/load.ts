/** Reads an analytics project: `dbt_project.yml`, transforms, macros, sources, checks. Everything wrong in it has a file and a line. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { parseYaml } from '../config/yaml.ts'
import { type Place, PlinthError } from '../errors.ts'
import { parseTemplate, type Template } from '../sql/template.ts'
import { genericChecks } from './checks.ts'
import { compile, type Names, namesOf } from './compile.ts'
import { orderTransforms } from './graph.ts'
import { type CheckDefinition, type Project, sourceKey, type Transform } from './project.ts'
import { severityOf } from './severity.ts'
import { mappingOf, type PropertiesFile, projectShape, propertiesShape, textOf } from './shapes.ts'
import { sourcesOf } from './sources.ts'

export interface LoadOptions {
  /** Folder that paths in messages are relative to. */
  readonly root: string
}

/** Loads the project in `folder`. Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function loadProject(folder: string, { root }: LoadOptions): Promise<Project> {
  const settings = await readSettings(folder, root)
  const list = (paths: readonly string[], ending: RegExp) => listFiles(folder, paths, ending)
  const properties = await readProperties(await list(settings['model-paths'], /\.ya?ml$/), root)
  const macros = await readTemplates(await list(settings['macro-paths'], /\.sql$/), root)
  const templates = await readTemplates(await list(settings['model-paths'], /\.sql$/), root)
  const sources = properties.flatMap(sourcesOf)
  refuseDuplicates(
    sources.map(source => ({ name: sourceKey(source), place: source.place })),
    'source',
  )
  const base = {
    name: settings.name,
    folder,
    variables: { ...settings.vars, ...mappingOf(settings.vars?.[settings.name]) },
    sources,
    macros,
  }
  const transforms = await describeTransforms(templates, base, modelDefaults(settings.models, settings.name))
  const project = { ...base, transforms }
  const singular = await readTemplates(await list(settings['test-paths'], /\.sql$/), root)
  return { ...project, checks: await describeChecks(project, properties, singular) }
}

async function readSettings(folder: string, root: string) {
  const file = join(folder, 'dbt_project.yml')
  if (!existsSync(file)) {
    throw new PlinthError('FOLDER_NOT_FOUND', `There is no analytics project in ${relative(root, folder) || folder}.`, {
      at: { file: relative(root, file) },
      hint: 'An analytics project has a dbt_project.yml. Set `analytics` in the configuration to its folder.',
    })
  }
  const source = await readText(file, root)
  return (await parseYaml(source, relative(root, file), projectShape(), 'TRANSFORM_INVALID', 'project')).value
}

/** Names of all come first: what a transform says of itself is known by rendering it, and that needs the names of the others. */
async function describeTransforms(
  templates: readonly Template[],
  base: Omit<Project, 'transforms' | 'checks'>,
  defaults: Record<string, unknown>,
): Promise<Transform[]> {
  const drafts = templates.map(template => ({ name: basename(template.file, '.sql'), template }))
  refuseDuplicates(
    drafts.map(({ name, template }) => ({ name, place: { file: template.file, line: 1 } })),
    'transform',
  )
  const transforms = new Map(drafts.map(({ name }) => [name, { schema: 'analytics', name }]))
  const names: Names = { ...namesOf({ ...base, transforms: [] }), transforms }
  const described: Transform[] = []
  for (const { name, template } of drafts) described.push(await describe(name, template, names, defaults))
  return orderTransforms(described, ({ template }) => ({ file: template.file, line: 1, source: template.source }))
}

/** Renders a transform in both modes, since a dependency may stand in a branch, and reads what it says of itself. */
async function describe(
  name: string,
  template: Template,
  names: Names,
  defaults: Record<string, unknown>,
): Promise<Transform> {
  const refs = new Set<string>()
  const sources = new Set<string>()
  let config: Record<string, unknown> = { ...defaults }
  const observe = {
    ref: (ref: string) => refs.add(ref),
    source: (source: string) => sources.add(source),
    config: (values: Readonly<Record<string, unknown>>) => (config = { ...config, ...values }),
  }
  for (const mode of ['whole', 'cells'] as const)
    await compile(template, names, { engine: 'duckdb', mode, self: { schema: 'analytics', name }, observe })
  const place = { file: template.file, line: 1, source: template.source }
  const materialized = textOf(config['materialized']) ?? 'view'
  if (materialized !== 'incremental' && materialized !== 'table' && materialized !== 'view') {
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `"${name}" is materialized as "${materialized}", which is not supported.`,
      {
        at: place,
        hint: 'Supported: incremental, table, view.',
      },
    )
  }
  return {
    name,
    schema: textOf(config['schema']) ?? 'analytics',
    template,
    materialized,
    cell: materialized === 'incremental' ? cellOf(name, config['meta'], place) : null,
    refs: [...refs].sort(),
    sources: [...sources].sort(),
  }
}

function cellOf(name: string, meta: unknown, place: Place): Transform['cell'] {
  const { bucket, grain, shard } = mappingOf(mappingOf(meta)['plinth'])
  if (typeof bucket === 'string' && typeof shard === 'string' && (grain === 'hour' || grain === 'day'))
    return { bucket, grain, shard }
  throw new PlinthError('TRANSFORM_INVALID', `The incremental transform "${name}" does not say what its cells are.`, {
    at: place,
    hint: "Write config(meta={'plinth': {'bucket': 'bucket_hour', 'grain': 'hour', 'shard': 'shard'}}), or materialize it as a table.",
  })
}

/** Every check is rendered once, so that an unknown name is found before anything runs. */
async function describeChecks(
  project: Omit<Project, 'checks'>,
  properties: readonly PropertiesFile[],
  singular: readonly Template[],
): Promise<CheckDefinition[]> {
  const names = namesOf(project)
  const checks: CheckDefinition[] = []
  for (const { definition, template } of properties.flatMap(genericChecks)) {
    try {
      const check = { ...definition, template: await parseTemplate(template) }
      await compile(check.template, names, { engine: 'duckdb', mode: 'whole', self: null })
      checks.push(check)
    } catch (error) {
      // The template was made here; what a reader can mend is where the check is declared.
      if (!(error instanceof PlinthError)) throw error
      throw new PlinthError(error.code, error.message, {
        at: definition.declared ?? undefined,
        hint: error.hint,
        cause: error,
      })
    }
  }
  for (const template of singular) checks.push(await describeCheck(template, names))
  return checks.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function describeCheck(template: Template, names: Names): Promise<CheckDefinition> {
  let config: Readonly<Record<string, unknown>> = {}
  const observe = { config: (values: Readonly<Record<string, unknown>>) => (config = { ...config, ...values }) }
  await compile(template, names, { engine: 'duckdb', mode: 'whole', self: null, observe })
  return {
    name: basename(template.file, '.sql'),
    severity: severityOf(config['severity'], { file: template.file, line: 1 }),
    tolerated: 0,
    subject: null,
    declared: null,
    template,
  }
}

/** dbt's tree of `models:`: keys with a plus are settings, others are folders, of which the project's own is the first. */
function modelDefaults(models: unknown, project: string): Record<string, unknown> {
  const tree = mappingOf(models)
  const settings = [...Object.entries(tree), ...Object.entries(mappingOf(tree[project]))]
  return Object.fromEntries(settings.flatMap(([key, value]) => (key.startsWith('+') ? [[key.slice(1), value]] : [])))
}

async function listFiles(folder: string, paths: readonly string[], ending: RegExp): Promise<string[]> {
  const found: string[] = []
  for (const path of paths) {
    const base = join(folder, path)
    if (!existsSync(base)) continue
    const entries = await readdir(base, { recursive: true, withFileTypes: true })
    for (const entry of entries)
      if (entry.isFile() && ending.test(entry.name)) found.push(join(entry.parentPath, entry.name))
  }
  return found.sort()
}

async function readTemplates(files: readonly string[], root: string): Promise<Template[]> {
  const templates: Template[] = []
  for (const file of files)
    templates.push(await parseTemplate({ file: relative(root, file), source: await readText(file, root) }))
  return templates
}

async function readText(file: string, root: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PlinthError('FILE_UNREADABLE', 'A file of the analytics project cannot be read.', {
      at: { file: relative(root, file) },
      cause: error,
    })
  })
}

async function readProperties(files: readonly string[], root: string): Promise<PropertiesFile[]> {
  const shape = propertiesShape()
  const read: PropertiesFile[] = []
  for (const path of files) {
    const file = relative(root, path)
    const content = await parseYaml(await readText(path, root), file, shape, 'TRANSFORM_INVALID', 'properties')
    read.push({ file, value: content.value, place: at => content.place(at) })
  }
  return read
}

function refuseDuplicates(items: readonly { readonly name: string; readonly place: Place }[], noun: string): void {
  const seen = new Map<string, Place>()
  for (const { name, place } of items) {
    const first = seen.get(name)
    if (first) {
      throw new PlinthError('TRANSFORM_INVALID', `There are two ${noun}s named "${name}".`, {
        at: place,
        hint: `The other one is in ${first.file}.`,
      })
    }
    seen.set(name, place)
  }
}

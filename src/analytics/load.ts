/** Reads an analytics project: `dbt_project.yml`, transforms, macros, sources, checks. Everything wrong in it has a file and a line. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { readYaml } from '../config/yaml.ts'
import { type Place, PlinthError } from '../errors.ts'
import { parseTemplate, type Template } from '../sql/template.ts'
import { genericChecks } from './checks.ts'
import { compile, type Names } from './compile.ts'
import { orderTransforms } from './graph.ts'
import type { CheckDefinition, Grain, Project, Severity, Transform } from './project.ts'
import { projectShape, propertiesShape, type PropertiesFile } from './shapes.ts'
import { sourcesOf } from './sources.ts'

export interface LoadOptions {
  /** Folder that paths in messages are relative to. */
  readonly root: string
}

/** Loads the project in `folder`. Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function loadProject(folder: string, { root }: LoadOptions): Promise<Project> {
  const file = join(folder, 'dbt_project.yml')
  if (!existsSync(file)) {
    throw new PlinthError('FOLDER_NOT_FOUND', `There is no analytics project in ${relative(root, folder) || folder}.`, {
      at: { file: relative(root, file) },
      hint: 'An analytics project has a dbt_project.yml. Set `analytics` in the configuration to its folder.',
    })
  }
  const shapes = await projectShape()
  const { value: settings } = await readYaml(file, shapes, 'TRANSFORM_INVALID', 'project')
  const files = (paths: readonly string[], ending: RegExp) => listFiles(folder, paths, ending)
  const properties = await readProperties(await files(settings['model-paths'], /\.ya?ml$/), root)
  const macros = await readTemplates(await files(settings['macro-paths'], /\.sql$/), root)
  const templates = await readTemplates(await files(settings['model-paths'], /\.sql$/), root)
  const singular = await readTemplates(await files(settings['test-paths'], /\.sql$/), root)
  const sources = properties.flatMap(sourcesOf)
  refuseDuplicates(
    sources.map(source => ({ name: `${source.group}.${source.name}`, place: source.place })),
    'source',
  )

  const defaults = modelDefaults(settings.models, settings.name)
  const drafts = templates.map(template => ({ name: basename(template.file, '.sql'), template }))
  refuseDuplicates(
    drafts.map(({ name, template }) => ({ name, place: { file: template.file, line: 1 } })),
    'transform',
  )
  // Schemas come from config(), which only rendering tells, and rendering needs the names of all: so names first, then the rest.
  const draftNames: Names = {
    projectName: settings.name,
    macros,
    variables: { ...settings.vars, ...nested(settings.vars?.[settings.name]) },
    transforms: new Map(drafts.map(({ name }) => [name, { schema: 'analytics', name }])),
    sources: new Map(sources.map(source => [`${source.group}.${source.name}`, source])),
  }
  const transforms: Transform[] = []
  for (const { name, template } of drafts) transforms.push(await describe(name, template, draftNames, defaults))
  const ordered = orderTransforms(
    transforms.map(transform => ({ ...transform, place: { file: transform.template.file, line: 1 } })),
  ).map(({ place: _, ...transform }) => transform)
  const project = { name: settings.name, folder, variables: draftNames.variables, sources, transforms: ordered, macros }
  const names = namesOf({ ...project, checks: [] })
  const checks: CheckDefinition[] = []
  for (const { value, place, file: from } of properties) {
    for (const check of genericChecks(value, place, from))
      checks.push({ ...check.definition, template: await parseTemplate(check.template) })
  }
  for (const template of singular) checks.push(await describeCheck(template, names))
  // Rendering them once finds unknown names before anything runs.
  for (const check of checks) await compile(check.template, names, { engine: 'duckdb', mode: 'whole', self: null })
  return { ...project, checks: checks.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

/** What the names of a project mean, for compiling. */
export function namesOf(project: Project): Names {
  return {
    projectName: project.name,
    macros: project.macros,
    variables: project.variables,
    transforms: new Map(project.transforms.map(transform => [transform.name, transform])),
    sources: new Map(project.sources.map(source => [`${source.group}.${source.name}`, source])),
  }
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
  const materialized = String(config['materialized'] ?? 'view')
  if (materialized !== 'incremental' && materialized !== 'table' && materialized !== 'view') {
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `The transform "${name}" is materialized as "${materialized}", which is not supported.`,
      {
        at: place,
        hint: 'Supported: incremental, table, view.',
      },
    )
  }
  return {
    name,
    schema: String(config['schema'] ?? 'analytics'),
    template,
    materialized,
    cell: materialized === 'incremental' ? cellOf(name, config['meta'], place) : null,
    refs: [...refs].sort(),
    sources: [...sources].sort(),
  }
}

function cellOf(name: string, meta: unknown, place: Place): Transform['cell'] {
  const { bucket, grain, shard } = nested(nested(meta)['plinth'])
  if (typeof bucket === 'string' && typeof shard === 'string' && (grain === 'hour' || grain === 'day'))
    return { bucket, grain: grain satisfies Grain, shard }
  throw new PlinthError('TRANSFORM_INVALID', `The incremental transform "${name}" does not say what its cells are.`, {
    at: place,
    hint: "Write config(meta={'plinth': {'bucket': 'bucket_hour', 'grain': 'hour', 'shard': 'shard'}}), or materialize it as a table.",
  })
}

async function describeCheck(template: Template, names: Names): Promise<CheckDefinition> {
  let config: Readonly<Record<string, unknown>> = {}
  await compile(template, names, {
    engine: 'duckdb',
    mode: 'whole',
    self: null,
    observe: { config: values => (config = { ...config, ...values }) },
  })
  const name = basename(template.file, '.sql')
  return {
    name,
    severity: severityOf(config['severity'], { file: template.file, line: 1 }),
    tolerated: 0,
    subject: null,
    template,
  }
}

function severityOf(given: unknown, place: Place): Severity {
  const severity = String(given ?? 'error').toLowerCase()
  if (severity === 'error' || severity === 'warn') return severity
  throw new PlinthError('TRANSFORM_INVALID', `"${severity}" is not a severity.`, {
    at: place,
    hint: 'Write error or warn.',
  })
}

/** dbt's tree of `models:`: keys with a plus are settings, others are folders, of which the project's own is the first. */
function modelDefaults(models: unknown, project: string): Record<string, unknown> {
  const settings = (tree: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(tree).flatMap(([key, value]) => (key.startsWith('+') ? [[key.slice(1), value] as const] : [])),
    )
  const tree = nested(models)
  return { ...settings(tree), ...settings(nested(tree[project])) }
}

function nested(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
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
    templates.push(await parseTemplate({ file: relative(root, file), source: await readText(file) }))
  return templates
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PlinthError('FILE_UNREADABLE', 'A file of the analytics project cannot be read.', {
      at: { file },
      cause: error,
    })
  })
}

async function readProperties(files: readonly string[], root: string): Promise<PropertiesFile[]> {
  const shape = await propertiesShape()
  const read: PropertiesFile[] = []
  for (const file of files)
    read.push({ ...(await readYaml(file, shape, 'TRANSFORM_INVALID', 'properties')), file: relative(root, file) })
  return read.map(({ value, place, file }) => ({ value, file, place: path => ({ ...place(path), file }) }))
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

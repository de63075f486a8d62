/** Reads an analytics project: `dbt_project.yml`, transforms, macros, sources, checks, unit tests. Everything wrong in it has a file and a line. */
import { basename } from 'node:path'
import { describeChecks } from './checks.ts'
import { type Names, namesOf } from './compile.ts'
import { describeNodes, refuseDuplicates, settingsOfOthers } from './describe-nodes.ts'
import { unitTestsOf } from './fixtures.ts'
import { statementsOf } from './hooks.ts'
import { observed } from './observe.ts'
import { readPackages } from './packages.ts'
import { type Analysis, noMoment, type Project, type Source, sourceKey, type Surroundings } from './project.ts'
import {
  described,
  type Folder,
  listFiles,
  readDocs,
  readProperties,
  readSettings,
  readTemplates,
  refuseForeignFiles,
  type TemplateAt,
} from './files.ts'
import { mappingOf, type ProjectSettings, type PropertiesFile } from './shapes.ts'
import { type Sourcing, sourcesOf } from './sources.ts'
import { refuseStrangers } from './strangers.ts'
import { versionsOf, withVersions } from './versions.ts'

export interface LoadOptions {
  /** Folder that paths in messages are relative to. */
  readonly root: string
  /** Variables that take the place of the project's, dbt's `--vars`. */
  readonly variables?: Readonly<Record<string, unknown>>
  readonly surroundings?: Partial<Surroundings>
  /** `transforms` leaves checks, unit tests and analyses unread, which a run does not need and which are most of the work. */
  readonly parts?: 'everything' | 'transforms'
}

/** Loads the project in `folder`. Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function loadProject(folder: string, options: LoadOptions): Promise<Project> {
  const where: Folder = { folder, root: options.root }
  const settings = await readSettings(where)
  const { value } = settings
  await refuseForeignFiles(where, value)
  const read = await readProperties(where, await listFiles(where, propertyPaths(value), /\.ya?ml$/))
  const versions = versionsOf(read)
  const properties = read.map(withVersions)
  const docs = await readDocs(where, value['docs-paths'] ?? [...value['model-paths'], ...value['macro-paths']])
  const { macros, singular } = await readMacros(where, value)
  const surroundings = { ...defaultSurroundings, ...options.surroundings }
  const variables = { ...value.vars, ...mappingOf(value.vars?.[value.name]), ...options.variables }
  const packages = await readPackages(where, settings)
  const dispatch = new Map((value.dispatch ?? []).map(one => [one.macro_namespace, one.search_order]))
  const packageName = value.name
  const bare: Names = { ...emptyNames, macros, packages, dispatch, versions, variables, packageName, surroundings }
  const sources = await describeSources(properties, { settings, docs, names: bare, folder })
  const known = { ...bare, sources: new Map(sources.map(source => [sourceKey(source), source])) }
  const nodes = await describeNodes(where, { settings, properties, docs, names: known })
  refuseStrangers({ sources, transforms: nodes.transforms })
  const around = {
    before: statementsOf(value['on-run-start'], settings.place(['on-run-start'])),
    after: statementsOf(value['on-run-end'], settings.place(['on-run-end'])),
  }
  const common = {
    name: value.name,
    folder,
    variables,
    sources,
    macros,
    packages,
    dispatch,
    versions,
    surroundings,
    around,
  }
  const base = { ...common, ...nodes, notes: [...passedOver(properties), ...settingsOfOthers(nodes)] }
  if (options.parts === 'transforms') return { ...base, analyses: [], checks: [], unitTests: [] }
  const names = namesOf(base)
  const disabled = new Set(nodes.disabled)
  const checks = await describeChecks({ settings, properties, names, disabled }, singular, base.transforms)
  const transforms = [...names.transforms.keys(), ...names.ephemerals.keys()]
  const fixtures = { where, settings, docs, transforms, disabled }
  const unitTests = []
  for (const file of properties) unitTests.push(...(await unitTestsOf(file, fixtures)))
  refuseDuplicates(unitTests, 'unit test')
  const queries = await readTemplates(where, await listFiles(where, value['analysis-paths'], /\.sql$/))
  const analyses = await describeAnalyses(queries, properties, docs, names)
  return { ...base, analyses, checks, unitTests }
}

function propertyPaths(value: ProjectSettings): string[] {
  return (['model', 'test', 'macro', 'analysis', 'seed', 'snapshot'] as const).flatMap(kind => value[`${kind}-paths`])
}

/** Macros, with the generic tests among the tests, and the tests that are files of their own. */
async function readMacros(where: Folder, value: ProjectSettings) {
  const files = (await listFiles(where, value['test-paths'], /\.sql$/)).filter(file => !isFixture(file))
  const tests = await readTemplates(where, files)
  const generic = tests.filter(({ template }) => template.macros.length > 0)
  const own = await readTemplates(where, await listFiles(where, value['macro-paths'], /\.sql$/))
  return {
    macros: [...own, ...generic].map(({ template }) => template),
    singular: tests.filter(test => !generic.includes(test)),
  }
}

async function describeSources(properties: readonly PropertiesFile[], sourcing: Sourcing): Promise<Source[]> {
  const sources: Source[] = []
  for (const file of properties) sources.push(...(await sourcesOf(file, sourcing)))
  refuseDuplicates(
    sources.map(source => ({ name: sourceKey(source), place: source.place })),
    'source',
  )
  return sources
}

/** What other tools read and nothing here acts on. */
function passedOver(properties: readonly PropertiesFile[]): string[] {
  return properties.flatMap(({ file, value }) =>
    (['metrics', 'semantic_models', 'saved_queries', 'exposures'] as const).flatMap(kind => {
      const count = value[kind]?.length ?? 0
      return count === 0
        ? []
        : [`${file}: ${count} ${kind.replace('_', ' ')}, which other tools read, are passed over.`]
    }),
  )
}

const defaultSurroundings: Surroundings = {
  target: 'plinth',
  schema: 'analytics',
  environment: {},
  moment: noMoment,
}

const emptyNames = {
  transforms: new Map(),
  sources: new Map(),
  ephemerals: new Map(),
  disabled: new Set<string>(),
}

function isFixture(file: string): boolean {
  return /[\\/]fixtures[\\/]/.test(file)
}

async function describeAnalyses(
  templates: readonly TemplateAt[],
  properties: readonly PropertiesFile[],
  docs: ReadonlyMap<string, string>,
  names: Names,
): Promise<Analysis[]> {
  const analyses: Analysis[] = []
  for (const { template, path } of templates) {
    const name = basename(template.file, '.sql')
    const { refs, sources } = await observed(name, template, names)
    const patch = properties.flatMap(({ value }) => value.analyses ?? []).find(one => one.name === name)
    const description = described(patch?.description, docs, { file: template.file, line: 1 })
    analyses.push({ name, template, path, refs, sources, description, tags: [] })
  }
  return analyses
}

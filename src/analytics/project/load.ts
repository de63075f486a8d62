/** Reads an analytics project: `dbt_project.yml`, transforms, macros, sources, checks, unit tests. Everything wrong in it has a file and a line. */
import { basename } from 'node:path'
import { describeChecks } from './checks.ts'
import { type Names, namesOf } from './compile.ts'
import { describeNodes, refuseDuplicates, settingsOfOthers } from './describe-nodes.ts'
import { unitTestsOf } from './fixtures.ts'
import { statementsOf } from './hooks.ts'
import { exposuresOf, type Part, readParts } from './members.ts'
import { namesIn } from './names.ts'
import { grantsNotGiven, passedOver } from './notes.ts'
import { observed } from './observe.ts'
import { variablesOf } from './packages.ts'
import {
  type Analysis,
  type Hook,
  noMoment,
  type Project,
  type Source,
  sourceKey,
  type Surroundings,
} from './project.ts'
import { described, type Folder, listFiles, readTemplates, type TemplateAt } from './files.ts'
import { mappingOf, type PropertiesFile, textOf } from './shapes.ts'
import { sourcesOf } from './sources.ts'
import { refuseStrangers } from './strangers.ts'

export interface LoadOptions {
  /** Folder that paths in messages are relative to. */
  readonly root: string
  /** Variables that take the place of the project's, dbt's `--vars`. */
  readonly variables?: Readonly<Record<string, unknown>>
  readonly surroundings?: Partial<Surroundings>
  /** `transforms` leaves checks, unit tests and analyses unread, which a run does not need and which are most of the work. */
  readonly parts?: 'everything' | 'transforms'
}

/** Loads the project in `folder`, with the packages that it has installed. Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function loadProject(folder: string, options: LoadOptions): Promise<Project> {
  const where: Folder = { folder, root: options.root }
  const { project, packages } = await readParts(where)
  const { settings, properties, docs } = project
  const { value } = settings
  const parts = [...packages, project]
  const versions = new Map(parts.flatMap(part => [...part.versions]))
  const surroundings = { ...defaultSurroundings, ...options.surroundings }
  const variables = { ...value.vars, ...mappingOf(value.vars?.[value.name]), ...options.variables }
  const members = new Map(
    packages.map(({ name, macros, settings: own }) => [
      name,
      { macros, variables: { ...variablesOf(own.value.vars, value.vars, name), ...options.variables } },
    ]),
  )
  const words = {
    macros: project.macros,
    packages: new Map(packages.map(({ name, macros }) => [name, macros])),
    members,
    dispatch: new Map((value.dispatch ?? []).map(one => [one.macro_namespace, one.search_order])),
    versions,
    variables,
    surroundings,
  }
  const bare: Names = { ...emptyNames, ...words, packageName: value.name }
  const sources = await describeSources(parts, bare)
  const known = { ...bare, sources: new Map(sources.map(source => [sourceKey(source), source])) }
  const nodes = await describeNodes(parts, known)
  refuseStrangers({ sources, transforms: nodes.transforms })
  const around = { before: aroundOf(parts, 'on-run-start'), after: aroundOf(parts, 'on-run-end') }
  const common = { name: value.name, folder, sources, around, ...words, exposures: exposuresOf(parts) }
  const granted = grantsNotGiven([...nodes.seeds, ...nodes.transforms])
  const notes = [...passedOver(properties), ...nodes.notes, ...settingsOfOthers(nodes), ...granted]
  const base = { ...common, ...nodes, notes }
  if (options.parts === 'transforms') return { ...base, analyses: [], checks: [], unitTests: [] }
  const names = namesOf(base)
  const disabled = new Set(nodes.disabled)
  const checks = await describeChecks(parts, { names, disabled }, base.transforms)
  const transforms = [...names.transforms.keys(), ...names.ephemerals.keys()]
  const fixtures = { where, settings, docs, transforms, disabled }
  const unitTests = []
  for (const file of properties) unitTests.push(...(await unitTestsOf(file, fixtures)))
  refuseDuplicates(unitTests, 'unit test')
  const queries = await readTemplates(where, await listFiles(where, value['analysis-paths'], /\.sql$/))
  const analyses = await describeAnalyses(queries, properties, docs, names)
  return { ...base, analyses, checks, unitTests }
}

/** What a project does at the start and the end of a run: its packages first. */
function aroundOf(parts: readonly Part[], key: 'on-run-start' | 'on-run-end'): Hook[] {
  return parts.flatMap(({ where, settings }) => statementsOf(settings.value[key], settings.place([key]), where.owner))
}

/** A group that says `overrides: package` takes the place of tables of that package. */
async function describeSources(parts: readonly Part[], names: Names): Promise<Source[]> {
  const sources: Source[] = []
  const overridden = new Set<string>()
  for (const { where, settings, outer, docs, properties } of parts.toReversed()) {
    const sourcing = { settings, outer, docs, names: namesIn(names, where.owner), where }
    for (const file of properties) {
      const found = await sourcesOf(file, sourcing)
      sources.push(...found.filter(source => !overridden.has(`${where.owner ?? ''}.${sourceKey(source)}`)))
      for (const { name, overrides, tables } of file.value.sources ?? [])
        for (const table of tables ?? []) overridden.add(`${textOf(overrides) ?? ' '}.${name}.${table.name}`)
    }
  }
  refuseDuplicates(
    sources.map(source => ({ name: sourceKey(source), place: source.place })),
    'source',
  )
  return sources
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

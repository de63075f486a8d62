/** Reads an analytics project: `dbt_project.yml`, transforms, macros, sources, checks, unit tests. Everything wrong in it has a file and a line. */
import { basename, relative } from 'node:path'
import { type Place, PlinthError } from '../../errors.ts'
import { describeChecks } from './checks.ts'
import { type Names, namesOf } from './compile.ts'
import { type Described, describeTransform, type Describing, type Draft, patchesOf } from './describe.ts'
import { unitTestsOf } from './fixtures.ts'
import { orderTransforms } from './graph.ts'
import { statementsOf } from './hooks.ts'
import { modelConfig, seedConfig, snapshotConfig, unknownSettings } from './keys.ts'
import { observed } from './observe.ts'
import { readPackages } from './packages.ts'
import {
  type Analysis,
  noMoment,
  type Project,
  type Seed,
  type Source,
  sourceKey,
  type Surroundings,
  type Transform,
} from './project.ts'
import { describeSeed, listSeeds, seedName } from './seeds.ts'
import { readSnapshots } from './snapshots.ts'
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

/** What only other tools can mean, among the settings. */
function settingsOfOthers({ transforms, ephemerals, seeds }: Nodes): string[] {
  const found = [
    ...[...transforms, ...ephemerals].map(one => ({ one, known: one.kind === 'model' ? modelConfig : snapshotConfig })),
    ...seeds.map(one => ({ one, known: seedConfig })),
  ]
  const files = new Map<string, string[]>()
  for (const { one, known } of found)
    for (const key of unknownSettings(one.config, known)) files.set(key, [...(files.get(key) ?? []), one.path])
  return [...files].map(
    ([key, paths]) =>
      `The setting "${key}" of ${paths[0] ?? ''}${paths.length > 1 ? ` and ${paths.length - 1} more` : ''}, which other tools read, is passed over.`,
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

type Nodes = Pick<Project, 'transforms' | 'ephemerals' | 'disabled' | 'seeds'>

/** Names of all come first: what a transform says of itself is known by rendering it, and that needs the names of the others. */
async function describeNodes(where: Folder, describing: Describing): Promise<Nodes> {
  const { settings, properties, names: bare } = describing
  const { value } = settings
  const models = await readTemplates(where, await listFiles(where, value['model-paths'], /\.sql$/))
  const snapshots = await readSnapshots(where, value['snapshot-paths'], properties)
  const versions = new Map([...bare.versions.values()].flatMap(one => [...one.files]))
  const named = (file: string) => versions.get(file) ?? file
  const drafts: Draft[] = [
    ...models.map(one => ({ ...one, name: named(basename(one.template.file, '.sql')), kind: 'model' as const })),
    ...snapshots.map(one => ({ ...one, kind: 'snapshot' as const })),
  ]
  const files = await listSeeds(where, value['seed-paths'])
  refuseDuplicates(
    [
      ...drafts.map(({ name, template }) => ({ name, place: { file: template.file, line: 1 } })),
      ...files.map(file => ({ name: seedName(file), place: { file: relative(where.root, file), line: 1 } })),
    ],
    'transform',
  )
  const namesOfKind = (kind: Draft['kind']) => drafts.flatMap(draft => (draft.kind === kind ? [draft.name] : []))
  const patches = {
    ...patchesOf(properties, 'models', namesOfKind('model')),
    ...patchesOf(properties, 'snapshots', namesOfKind('snapshot')),
    ...patchesOf(properties, 'seeds', files.map(seedName)),
  }
  const described: (Seed | null)[] = []
  for (const file of files) described.push(await describeSeed(where, file, patches[seedName(file)], describing))
  const seeds = described.filter(seed => seed !== null)
  const { schema } = bare.surroundings
  const known = [...seeds, ...drafts.map(({ name, path, kind }) => ({ schema, name, path, kind }))]
  const names = { ...bare, transforms: new Map(known.map(one => [one.name, one])) }
  const all: Described[] = []
  for (const draft of drafts) all.push(await describeTransform(draft, patches[draft.name], { ...describing, names }))
  const off = files.map(seedName).filter(name => !seeds.some(seed => seed.name === name))
  const disabled = [...off, ...all.flatMap(({ name, transform }) => (transform ? [] : [name]))]
  return { seeds, disabled, ...(await ordered(all, disabled, seeds)) }
}

async function ordered(
  all: readonly Described[],
  disabled: readonly string[],
  seeds: readonly Seed[],
): Promise<Pick<Project, 'transforms' | 'ephemerals'>> {
  const found = all.flatMap(({ transform }) => transform ?? [])
  await refuseDisabled(found, disabled)
  const nodes = orderTransforms(
    found,
    ({ template }) => ({ file: template.file, line: 1, source: template.source }),
    new Set(seeds.map(({ name }) => name)),
  )
  const ephemerals = nodes.flatMap(one =>
    one.materialized === 'ephemeral' ? [{ ...one, materialized: 'view' as const }] : [],
  )
  const transforms = nodes.flatMap((one): Transform[] => {
    const { materialized } = one
    return materialized === 'ephemeral' ? [] : [{ ...one, materialized, ...through(one, ephemerals) }]
  })
  return { transforms, ephemerals }
}

/** What it refers to, with what stands behind ephemeral transforms in their place. */
function through(
  node: Pick<Transform, 'refs' | 'sources'>,
  ephemerals: readonly Transform[],
): Pick<Transform, 'refs' | 'sources'> {
  const refs = new Set<string>()
  const sources = new Set(node.sources)
  const visit = (name: string): void => {
    const inner = ephemerals.find(one => one.name === name)
    if (!inner) {
      refs.add(name)
      return
    }
    for (const source of inner.sources) sources.add(source)
    for (const ref of inner.refs) visit(ref)
  }
  for (const ref of node.refs) visit(ref)
  return { refs: [...refs].sort(), sources: [...sources].sort() }
}

async function refuseDisabled(
  found: readonly Pick<Transform, 'name' | 'refs' | 'template'>[],
  disabled: readonly string[],
) {
  for (const { name, refs, template } of found) {
    const off = refs.find(ref => disabled.includes(ref))
    if (off === undefined) continue
    const line = template.source.slice(0, template.source.indexOf(off)).split('\n').length
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `"${name}" refers to "${off}", which is switched off (enabled: false).`,
      {
        at: { file: template.file, line, source: template.source },
      },
    )
  }
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

/** Reads an analytics project: `dbt_project.yml`, transforms, macros, sources, checks, unit tests. Everything wrong in it has a file and a line. */
import { basename } from 'node:path'
import { type Place, PlinthError } from '../../errors.ts'
import { describeChecks } from './checks.ts'
import { type Names, namesOf } from './compile.ts'
import { type Described, describeTransform, observed, patchesOf } from './describe.ts'
import { unitTestsOf } from './fixtures.ts'
import { orderTransforms } from './graph.ts'
import { type Analysis, noMoment, type Project, sourceKey, type Surroundings, type Transform } from './project.ts'
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
import { mappingOf, type PropertiesFile } from './shapes.ts'
import { sourcesOf } from './sources.ts'

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
  const list = (paths: readonly string[], ending: RegExp) => listFiles(where, paths, ending)
  const yaml = [...value['model-paths'], ...value['test-paths'], ...value['macro-paths'], ...value['analysis-paths']]
  const properties = await readProperties(where, await list(yaml, /\.ya?ml$/))
  const docs = await readDocs(where, value['docs-paths'] ?? [...value['model-paths'], ...value['macro-paths']])
  const tests = await readTemplates(
    where,
    (await list(value['test-paths'], /\.sql$/)).filter(file => !isFixture(file)),
  )
  const generic = tests.filter(({ template }) => template.macros.length > 0)
  const macros = [
    ...(await readTemplates(where, await list(value['macro-paths'], /\.sql$/))).map(({ template }) => template),
    ...generic.map(({ template }) => template),
  ]
  const templates = await readTemplates(where, await list(value['model-paths'], /\.sql$/))
  const surroundings = { ...defaultSurroundings, ...options.surroundings }
  const variables = { ...value.vars, ...mappingOf(value.vars?.[value.name]), ...options.variables }
  const bare: Names = { ...emptyNames, macros, variables, packageName: value.name, surroundings }
  const sources = []
  for (const file of properties) sources.push(...(await sourcesOf(file, { settings, docs, names: bare })))
  refuseDuplicates(
    sources.map(source => ({ name: sourceKey(source), place: source.place })),
    'source',
  )
  const known = { ...bare, sources: new Map(sources.map(source => [sourceKey(source), source])) }
  const transforms = await describeTransforms(templates, { settings, properties, docs, names: known })
  const base = { name: value.name, folder, variables, sources, macros, surroundings, ...transforms }
  if (options.parts === 'transforms') return { ...base, analyses: [], checks: [], unitTests: [] }
  const names = namesOf(base)
  const disabled = new Set(transforms.disabled)
  const singular = tests.filter(test => !generic.includes(test))
  const checks = await describeChecks({ settings, properties, names, disabled }, singular, base.transforms)
  const fixtures = {
    where,
    settings,
    docs,
    transforms: [...names.transforms.keys(), ...names.ephemerals.keys()],
    disabled,
  }
  const unitTests = []
  for (const file of properties) unitTests.push(...(await unitTestsOf(file, fixtures)))
  refuseDuplicates(unitTests, 'unit test')
  const analyses = await describeAnalyses(
    await readTemplates(where, await list(value['analysis-paths'], /\.sql$/)),
    properties,
    docs,
    names,
  )
  return { ...base, analyses, checks, unitTests }
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

interface Describing {
  readonly settings: Awaited<ReturnType<typeof readSettings>>
  readonly properties: readonly PropertiesFile[]
  readonly docs: ReadonlyMap<string, string>
  readonly names: Names
}

/** Names of all come first: what a transform says of itself is known by rendering it, and that needs the names of the others. */
async function describeTransforms(
  templates: readonly TemplateAt[],
  describing: Describing,
): Promise<Pick<Project, 'transforms' | 'ephemerals' | 'disabled'>> {
  const drafts = templates.map(draft => ({ ...draft, name: basename(draft.template.file, '.sql') }))
  refuseDuplicates(
    drafts.map(({ name, template }) => ({ name, place: { file: template.file, line: 1 } })),
    'transform',
  )
  const patches = patchesOf(
    describing.properties,
    drafts.map(({ name }) => name),
  )
  const { schema } = describing.names.surroundings
  const names = {
    ...describing.names,
    transforms: new Map(drafts.map(({ name, path }) => [name, { schema, name, path }])),
  }
  const all: Described[] = []
  for (const draft of drafts)
    all.push(await describeTransform(draft, patches.get(draft.name), { ...describing, names }))
  const disabled = all.flatMap(({ name, transform }) => (transform ? [] : [name]))
  const found = all.flatMap(({ transform }) => transform ?? [])
  await refuseDisabled(found, disabled)
  const ordered = orderTransforms(found, ({ template }) => ({ file: template.file, line: 1, source: template.source }))
  const ephemerals = ordered.flatMap(one =>
    one.materialized === 'ephemeral' ? [{ ...one, materialized: 'view' as const }] : [],
  )
  const real = ordered.flatMap((one): Transform[] => {
    const { materialized } = one
    return materialized === 'ephemeral' ? [] : [{ ...one, materialized, ...through(one, ephemerals) }]
  })
  return { transforms: real, ephemerals, disabled }
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

/** Models, seeds and snapshots of a project out of their files, in the order of their dependencies. */
import { basename, relative } from 'node:path'
import { type Place, PlinthError } from '../../errors.ts'
import { type Described, describeTransform, type Draft, type Patches, patchesOf } from './describe.ts'
import { listFiles, readTemplates } from './files.ts'
import { orderTransforms } from './graph.ts'
import { modelConfig, seedConfig, snapshotConfig, unknownSettings } from './keys.ts'
import type { Part } from './members.ts'
import { type Known, type Names, namesIn } from './names.ts'
import type { Project, Seed, Transform } from './project.ts'
import { describeSeed, listSeeds, seedName } from './seeds.ts'
import { readSnapshots } from './snapshots.ts'
import type { AllVersions } from './versions.ts'

export interface MadeNodes extends Pick<Project, 'transforms' | 'ephemerals' | 'disabled' | 'seeds'> {
  /** What describes nothing that is there, for people. */
  readonly notes: readonly string[]
}

/** Names of all come first: what a transform says of itself is known by rendering it, and that needs the names of the others. */
export async function describeNodes(parts: readonly Part[], bare: Names): Promise<MadeNodes> {
  const drafted: Drafted[] = []
  for (const part of parts) drafted.push(await draft(part, bare.versions))
  const { schema } = bare.surroundings
  const known = drafted.flatMap(({ part, drafts, files }) => {
    const { owner } = part.where
    const seeds = files.map(seedName).map(name => ({ schema, name, owner, kind: 'seed' as const }))
    return [...seeds, ...drafts.map(({ name, path, kind }) => ({ schema, name, owner, path, kind }))]
  })
  const listed: Names = { ...bare, transforms: new Map(known.map(one => [one.name, one])) }
  const seeds: Seed[] = []
  for (const { part, files, patches } of drafted)
    for (const file of files) {
      const seed = await describeSeed(file, patches[seedName(file)], {
        ...part,
        names: namesIn(listed, part.where.owner),
      })
      if (seed) seeds.push(seed)
    }
  const byName = new Map<string, Known>([...listed.transforms, ...seeds.map(one => [one.name, one] as const)])
  const names: Names = { ...listed, transforms: byName }
  const all: Described[] = []
  for (const { part, drafts, patches } of drafted) {
    const describing = { ...part, names: namesIn(names, part.where.owner) }
    for (const one of drafts) all.push(await describeTransform(one, patches[one.name], describing))
  }
  const made = all.flatMap(({ transform }) => transform ?? [])
  // Where a package has switched its own off, the project may have one of that name.
  refuseDuplicates(
    [...seeds, ...made.map(one => ({ name: one.name, place: { file: one.template.file, line: 1 } }))],
    'transform',
  )
  const enabled = new Set([...seeds, ...made].map(({ name }) => name))
  const disabled = [...new Set(known.map(({ name }) => name))].filter(name => !enabled.has(name))
  return { seeds, disabled, notes: drafted.flatMap(({ notes }) => notes), ...(await ordered(made, disabled, seeds)) }
}

interface Drafted {
  readonly part: Part
  readonly drafts: readonly Draft[]
  /** Of seeds. */
  readonly files: readonly string[]
  readonly patches: Patches
  readonly notes: readonly string[]
}

async function draft(part: Part, all: AllVersions): Promise<Drafted> {
  const { where, properties } = part
  const { value } = part.settings
  const models = await readTemplates(where, await listFiles(where, value['model-paths'], /\.sql$/))
  const snapshots = await readSnapshots(where, value['snapshot-paths'], properties)
  const versions = new Map([...all.values()].flatMap(one => [...one.files]))
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
  const namesOfKind = (kind: Draft['kind']) => drafts.flatMap(one => (one.kind === kind ? [one.name] : []))
  const found = [
    patchesOf(properties, 'models', namesOfKind('model')),
    patchesOf(properties, 'snapshots', namesOfKind('snapshot')),
    patchesOf(properties, 'seeds', files.map(seedName)),
  ]
  const patches: Patches = Object.assign({}, ...found.map(one => one.patches)) as Patches
  return { part, drafts, files, patches, notes: found.flatMap(({ notes }) => notes) }
}

async function ordered(
  found: readonly NonNullable<Described['transform']>[],
  disabled: readonly string[],
  seeds: readonly Seed[],
): Promise<Pick<Project, 'transforms' | 'ephemerals'>> {
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

/** What only other tools can mean, among the settings. */
export function settingsOfOthers({ transforms, ephemerals, seeds }: Omit<MadeNodes, 'notes'>): string[] {
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

/** Throws TRANSFORM_INVALID for two of one name. */
export function refuseDuplicates(
  items: readonly { readonly name: string; readonly place: Place }[],
  noun: string,
): void {
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

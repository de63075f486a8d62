/** A project as a graph of sources, transforms, checks, unit tests and analyses, for selecting, listing and drawing. Pure. */
import { basename } from 'node:path'
import { type Project, sourceKey, type Transform } from './project.ts'

export type NodeKind = 'source' | 'seed' | 'model' | 'snapshot' | 'test' | 'unit_test' | 'analysis' | 'exposure'

export interface GraphNode {
  /** Kind and name, such as `model.usage_hourly` or `source.raw.usage_events`. */
  readonly id: string
  readonly kind: NodeKind
  readonly name: string
  /** File within the project. */
  readonly path: string
  /** Properties file that describes it, where that is another one. */
  readonly patchPath?: string | undefined
  /** Project, folders and name, as dbt has them. */
  readonly address: readonly string[]
  /** Of the project itself, not of a package that it has installed. */
  readonly isOwn: boolean
  /** Where it stands in the warehouse; undefined for what does not. */
  readonly schema?: string | undefined
  readonly tags: readonly string[]
  /** Its settings. */
  readonly config: Readonly<Record<string, unknown>>
  readonly description: string
  /** Ids of what it reads, or of what a check looks at. */
  readonly parents: readonly string[]
  /** The generic test, such as `not_null`; empty for everything that is none. */
  readonly test: string
  /** Of a transform with versions: whether it is the latest, an older one or a newer one; absent elsewhere. */
  readonly version?: 'latest' | 'old' | 'prerelease' | 'none'
}

/** Sources and seeds first, then transforms in the order of their dependencies, then what looks at them. */
export function nodesOf(project: Project): GraphNode[] {
  const kinds = new Map([...project.seeds, ...project.transforms].map(({ name, kind }) => [name, kind]))
  const readBy = (reads: Transform['reads']) => [
    ...reads.sources.map(key => `source.${key}`),
    ...reads.refs.map(name => `${kinds.get(name) ?? 'model'}.${name}`),
  ]
  /** What all have: a file of the project or of a package, in which folders lead to what they are called by last. */
  const node = (kind: NodeKind, one: Found, last: readonly string[]): GraphNode => ({
    id: `${kind}.${one.name}`,
    kind,
    name: one.name,
    path: one.path,
    patchPath: one.patchPath,
    address: [one.owner ?? project.name, ...one.path.split('/').slice(1, -1), ...last],
    isOwn: one.owner === undefined,
    tags: one.tags,
    config: {},
    description: one.description ?? '',
    parents: [],
    test: '',
  })
  const sources = project.sources.map((source): GraphNode => {
    const found = node('source', { ...source, name: sourceKey(source) }, [source.group, source.name])
    return { ...found, config: { tags: source.tags } }
  })
  const seeds = project.seeds.map(
    (seed): GraphNode => ({ ...node('seed', seed, [seed.name]), config: seed.config, schema: seed.schema }),
  )
  const models = orderedModels(project).map(({ materialized, ...one }): GraphNode => {
    const { base, number, version } = versionOf(project, one.name)
    // A view on files is what dbt calls external.
    const said = one.config['materialized'] === 'external' ? 'external' : materialized
    const within = one.kind === 'snapshot' && one.path.endsWith('.sql') ? [basename(one.path, '.sql')] : []
    return {
      ...node(one.kind, one, [...within, base, ...(number === undefined ? [] : [`v${number}`])]),
      config: { ...one.config, materialized: said },
      schema: one.schema,
      parents: readBy(one.reads),
      version,
    }
  })
  const checks = project.checks.map((check): GraphNode => {
    const { kind, config, template, dbtName } = check
    const found = node('test', { ...check, owner: template.owner }, [dbtName])
    return { ...found, config, parents: readBy(check), test: kind ?? '' }
  })
  const unitTests = project.unitTests.map(
    (test): GraphNode => ({
      ...node('unit_test', test, [test.transform, test.name]),
      parents: [`model.${test.transform}`],
    }),
  )
  const analyses = project.analyses.map((analysis): GraphNode => {
    const { address, ...found } = node('analysis', analysis, [analysis.name])
    const [owner = '', ...rest] = address
    return { ...found, address: [owner, 'analysis', ...rest], parents: readBy(analysis) }
  })
  const exposures = project.exposures.map(
    (exposure): GraphNode => ({ ...node('exposure', exposure, [exposure.name]), parents: readBy(exposure) }),
  )
  return [...sources, ...seeds, ...models, ...checks, ...unitTests, ...analyses, ...exposures]
}

interface Found extends Pick<GraphNode, 'name' | 'path' | 'patchPath' | 'tags'> {
  readonly owner?: string | undefined
  readonly description?: string
}

interface OfVersions {
  /** The name that versions share. */
  readonly base: string
  readonly number?: string
  readonly version: NonNullable<GraphNode['version']>
}

function versionOf({ versions }: Project, name: string): OfVersions {
  for (const [base, { latest, names }] of versions) {
    const order = [...names.values()]
    const at = order.indexOf(name)
    const number = [...names.keys()][at]
    if (number === undefined) continue
    const version = name === latest ? 'latest' : at < order.indexOf(latest) ? 'old' : 'prerelease'
    return { base, number, version }
  }
  return { base: name, version: 'none' }
}

type Model = Omit<Transform, 'materialized'> & { readonly materialized: string }

/** With ephemeral ones among the others, each after those that it refers to. */
function orderedModels({ transforms, ephemerals }: Project): Model[] {
  const all: Model[] = [...ephemerals.map(one => ({ ...one, materialized: 'ephemeral' })), ...transforms]
  const byName = new Map(all.map(one => [one.name, one]))
  const ordered = new Map<string, Model>()
  const visit = (model: Model): void => {
    if (ordered.has(model.name)) return
    for (const name of model.reads.refs) {
      const next = byName.get(name)
      if (next) visit(next)
    }
    ordered.set(model.name, model)
  }
  for (const model of all) visit(model)
  return [...ordered.values()]
}

/** The graph as Mermaid draws it: sources and transforms, or those of them that are selected. */
export function mermaid(nodes: readonly GraphNode[]): string {
  const drawn = nodes.filter(({ kind }) => !['test', 'unit_test', 'analysis', 'exposure'].includes(kind))
  const number = new Map(drawn.map(({ id }, index) => [id, `n${index}`]))
  const shape = ({ kind, name, config }: GraphNode) => {
    if (kind === 'source' || kind === 'seed') return `[("${name}")]`
    const materialized = typeof config['materialized'] === 'string' ? config['materialized'] : ''
    return materialized === 'view' || materialized === 'ephemeral' ? `(["${name}"])` : `["${name}"]`
  }
  const lines = drawn.map(node => `  ${number.get(node.id)}${shape(node)}`)
  const edges = drawn.flatMap(node =>
    node.parents.flatMap(parent => (number.has(parent) ? [`  ${number.get(parent)} --> ${number.get(node.id)}`] : [])),
  )
  return ['flowchart LR', ...lines, ...edges].join('\n')
}

/** A project as a graph of sources, transforms, checks, unit tests and analyses, for selecting, listing and drawing. Pure. */
import { type Project, sourceKey, type Transform } from './project.ts'

export type NodeKind = 'source' | 'seed' | 'model' | 'snapshot' | 'test' | 'unit_test' | 'analysis'

export interface GraphNode {
  /** Kind and name, such as `model.usage_hourly` or `source.raw.usage_events`. */
  readonly id: string
  readonly kind: NodeKind
  readonly name: string
  /** File within the project. */
  readonly path: string
  /** Project, folders and name. */
  readonly address: readonly string[]
  readonly tags: readonly string[]
  readonly config: Readonly<Record<string, unknown>>
  readonly description: string
  /** Ids of what it reads, or of what a check looks at. */
  readonly parents: readonly string[]
  /** The generic test, such as `not_null`; empty for everything that is none. */
  readonly test: string
}

/** Sources and seeds first, then transforms in the order of their dependencies, then what looks at them. */
export function nodesOf(project: Project): GraphNode[] {
  const { name: packageName } = project
  const address = (path: string, name: string) => [packageName, ...path.split('/').slice(1, -1), name]
  const readBy = (reads: Transform['reads']) => [
    ...reads.sources.map(key => `source.${key}`),
    ...reads.refs.map(name => `${kinds.get(name) ?? 'model'}.${name}`),
  ]
  const kinds = new Map([...project.seeds, ...project.transforms].map(({ name, kind }) => [name, kind]))
  const none = { config: {}, description: '', test: '', tags: [] as readonly string[] }
  const sources = project.sources.map((source): GraphNode => {
    const key = sourceKey(source)
    const { path, tags, description } = source
    const place = [packageName, ...path.split('/').slice(1, -1), source.group, source.name]
    return {
      ...none,
      id: `source.${key}`,
      kind: 'source',
      name: key,
      path,
      address: place,
      tags,
      description,
      parents: [],
    }
  })
  const seeds = project.seeds.map((seed): GraphNode => {
    const { name, path, tags, description, config } = seed
    const id = `seed.${name}`
    return {
      ...none,
      id,
      kind: 'seed',
      name,
      path,
      address: address(path, name),
      tags,
      config,
      description,
      parents: [],
    }
  })
  const models = orderedModels(project).map(({ materialized, ...one }): GraphNode => {
    const { name, kind, path, tags, description, reads } = one
    const config = { ...one.config, materialized, schema: one.schema }
    return {
      ...none,
      id: `${kind}.${name}`,
      kind,
      name,
      path,
      address: address(path, name),
      tags,
      config,
      description,
      parents: readBy(reads),
    }
  })
  const checks = project.checks.map((check): GraphNode => {
    const { name, path, tags, kind, config } = check
    return {
      ...none,
      id: `test.${name}`,
      kind: 'test',
      name,
      path,
      address: address(path, name),
      tags,
      config,
      parents: readBy(check),
      test: kind ?? '',
    }
  })
  const unitTests = project.unitTests.map((test): GraphNode => {
    const { name, path, tags, description } = test
    return {
      ...none,
      id: `unit_test.${name}`,
      kind: 'unit_test',
      name,
      path,
      address: address(path, name),
      tags,
      description,
      parents: [`model.${test.transform}`],
    }
  })
  const analyses = project.analyses.map((analysis): GraphNode => {
    const { name, path, tags, description } = analysis
    return {
      ...none,
      id: `analysis.${name}`,
      kind: 'analysis',
      name,
      path,
      address: address(path, name),
      tags,
      description,
      parents: readBy(analysis),
    }
  })
  return [...sources, ...seeds, ...models, ...checks, ...unitTests, ...analyses]
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
  const drawn = nodes.filter(({ kind }) => kind !== 'test' && kind !== 'unit_test' && kind !== 'analysis')
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

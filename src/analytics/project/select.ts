/**
 * dbt's selection: names and methods with `+` for ancestors and descendants, united by spaces, intersected by commas. A check or unit test is
 * selected with what it looks at. Pure.
 */
import { nearest, PlinthError } from '../../errors.ts'
import type { GraphNode } from './nodes.ts'
import { textOf } from './shapes.ts'

export interface Selection {
  /** Such as `+usage_daily tag:finance,config.materialized:view`; default everything. */
  readonly select?: string | undefined
  readonly exclude?: string | undefined
}

/** The selected nodes in the order given. Throws USAGE for a method that is not known and for a criterion that nothing answers. */
export function selectNodes(nodes: readonly GraphNode[], { select, exclude }: Selection): GraphNode[] {
  const graph = graphOf(nodes)
  const chosen = select?.trim() ? union(select, graph) : new Set(nodes.map(({ id }) => id))
  const left = exclude?.trim() ? union(exclude, graph) : new Set<string>()
  return nodes.filter(({ id }) => chosen.has(id) && !left.has(id))
}

interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly parents: ReadonlyMap<string, readonly string[]>
  readonly children: ReadonlyMap<string, readonly string[]>
}

function graphOf(nodes: readonly GraphNode[]): Graph {
  const children = new Map<string, string[]>()
  for (const { id, parents } of nodes)
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), id])
  return { nodes, parents: new Map(nodes.map(({ id, parents }) => [id, parents])), children }
}

/** Commas bind closer than spaces. What looks at a selected node is selected with it. */
function union(text: string, graph: Graph): Set<string> {
  const found = new Set<string>()
  for (const part of text.trim().split(/\s+/)) {
    const sets = part
      .split(',')
      .filter(Boolean)
      .map(criterion => matched(criterion, graph))
    const [first = new Set<string>(), ...others] = sets
    for (const id of first) if (others.every(other => other.has(id))) found.add(id)
  }
  return found
}

const criterionShape = /^(@)?(?:(\d*)(\+))?(?:([a-z_]+(?:\.[\w.]+)?):)?(.+?)(?:(\+)(\d*))?$/

function matched(criterion: string, graph: Graph): Set<string> {
  const [, at, up = '', plusBefore, method, value = '', plusAfter, down = ''] = criterionShape.exec(criterion) ?? []
  const start = graph.nodes.filter(matcher(method, value, criterion)).map(({ id }) => id)
  if (start.length === 0) throw nothing(criterion, value, graph)
  const found = new Set(start)
  const add = (ids: Iterable<string>) => {
    for (const id of ids) found.add(id)
  }
  if (at) {
    const descendants = reach(start, graph.children, Number.POSITIVE_INFINITY)
    add(descendants)
    add(reach([...start, ...descendants], graph.parents, Number.POSITIVE_INFINITY))
  }
  if (plusBefore) add(reach(start, graph.parents, up === '' ? Number.POSITIVE_INFINITY : Number(up)))
  if (plusAfter) add(reach(start, graph.children, down === '' ? Number.POSITIVE_INFINITY : Number(down)))
  // Who asks for a kind of node asks for no other.
  return method && /^(resource_type|test_type|test_name|unit_test)$/.test(method) ? found : withObservers(found, graph)
}

/** Checks and unit tests of what was found, and not what they look at beside it. */
function withObservers(found: ReadonlySet<string>, { nodes }: Graph): Set<string> {
  const observers = nodes.filter(
    ({ kind, parents }) => (kind === 'test' || kind === 'unit_test') && parents.some(parent => found.has(parent)),
  )
  return new Set([...found, ...observers.map(({ id }) => id)])
}

function reach(start: readonly string[], edges: Graph['parents'], depth: number): Set<string> {
  const reached = new Set<string>()
  let frontier = [...start]
  for (let step = 0; step < depth && frontier.length > 0; step++) {
    frontier = frontier.flatMap(id => edges.get(id) ?? []).filter(id => !reached.has(id))
    for (const id of frontier) reached.add(id)
  }
  return reached
}

type Matcher = (node: GraphNode) => boolean

const methods = [
  'tag',
  'path',
  'file',
  'source',
  'config.<key>',
  'resource_type',
  'test_type',
  'test_name',
  'unit_test',
  'fqn',
  'package',
  'group',
  'access',
]

function matcher(method: string | undefined, value: string, criterion: string): Matcher {
  const like = wildcard(value)
  if (method?.startsWith('config.')) {
    const steps = method.slice('config.'.length).split('.')
    return ({ config }) => valuesAt(config, steps).some(one => like(one))
  }
  switch (method) {
    case undefined:
      if (value.includes('/')) return pathMatcher(value)
      return /\.(sql|ya?ml)$/.test(value) ? fileMatcher(value) : addressMatcher(value)
    case 'fqn':
      return addressMatcher(value)
    case 'tag':
      return ({ tags }) => tags.some(like)
    case 'path':
      return pathMatcher(value)
    case 'file':
      return fileMatcher(value)
    case 'source':
      return ({ kind, name }) => kind === 'source' && (like(name) || like(name.split('.')[0] ?? ''))
    case 'resource_type':
      return ({ kind }) => like(kind)
    case 'test_type':
      return testTypeMatcher(value, criterion)
    case 'test_name':
      return ({ test, kind }) => kind === 'test' && like(test)
    case 'unit_test':
      return ({ kind, name }) => kind === 'unit_test' && like(name)
    case 'package':
      return ({ address }) => like(address[0] ?? '') || value === 'this'
    case 'group':
    case 'access':
      return ({ config }) => valuesAt(config, [method]).some(one => like(one))
    default:
      throw usage(
        `The selection method "${method}" in "${criterion}" is not supported.`,
        `Supported: a name, ${methods.map(one => `${one}:`).join(' ')}, with +, 2+, @, spaces and commas.`,
      )
  }
}

/** A name, a folder as dots, or a wildcard; with or without the project's name before it. Sources answer to `source:` alone. */
function addressMatcher(value: string): Matcher {
  const steps = value.split('.')
  const isPrefix = (address: readonly string[]) =>
    steps.length <= address.length && steps.every((step, index) => wildcard(step)(address[index] ?? ''))
  return ({ kind, name, address }) =>
    kind !== 'source' && (wildcard(value)(name) || isPrefix(address) || isPrefix(address.slice(1)))
}

function pathMatcher(value: string): Matcher {
  const folder = value.replace(/^\.\//, '').replace(/\/$/, '')
  const like = wildcard(folder)
  // A path may be given from the project's folder or from the one above.
  return ({ path }) =>
    like(path) ||
    path.startsWith(`${folder}/`) ||
    `analytics/${path}`.startsWith(`${folder}/`) ||
    like(`analytics/${path}`)
}

function fileMatcher(value: string): Matcher {
  return ({ path }) => wildcard(value)(path.split('/').at(-1) ?? '')
}

function testTypeMatcher(value: string, criterion: string): Matcher {
  const kinds: Readonly<Record<string, Matcher>> = {
    generic: ({ kind, test }) => kind === 'test' && test !== '',
    singular: ({ kind, test }) => kind === 'test' && test === '',
    data: ({ kind }) => kind === 'test',
    unit: ({ kind }) => kind === 'unit_test',
  }
  const found = kinds[value]
  if (found) return found
  throw usage(`"${value}" in "${criterion}" is not a type of test.`, `Supported: ${Object.keys(kinds).join(', ')}.`)
}

function valuesAt(config: GraphNode['config'], steps: readonly string[]): string[] {
  let value: unknown = config
  for (const step of steps)
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined
  return (Array.isArray(value) ? (value as unknown[]) : [value]).flatMap(one => textOf(one) ?? [])
}

/** Shell patterns: `*`, `?` and `[abc]`. */
function wildcard(pattern: string): (text: string) => boolean {
  const spelled = pattern
    .replace(/[.+^${}()|\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  const shape = new RegExp(`^${spelled}$`)
  return text => shape.test(text)
}

function nothing(criterion: string, value: string, { nodes }: Graph): PlinthError {
  const guess = nearest(
    value,
    nodes.map(({ name }) => name),
  )
  return usage(
    `Nothing in the analytics project answers "${criterion}".`,
    guess ? `Did you mean "${guess}"?` : 'See what there is: plinth rollup list.',
  )
}

function usage(message: string, hint: string): PlinthError {
  return new PlinthError('USAGE', message, { hint })
}

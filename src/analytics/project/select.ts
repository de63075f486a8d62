/**
 * dbt's selection: names and methods with `+` for ancestors and descendants, united by spaces, intersected by commas. A check or unit test is
 * selected with what it looks at. Pure.
 */
import { nearest, PlinthError } from '../../errors.ts'
import { kindsOf, matcherOf } from './criteria.ts'
import type { GraphNode } from './nodes.ts'
import type { Choice, Indirect, Selectors } from './selectors.ts'

export interface Selection {
  /** Such as `+usage_daily tag:finance,config.materialized:view`; default everything. */
  readonly select?: string | undefined
  readonly exclude?: string | undefined
  /** Kinds of nodes that alone are answered, such as `model seed`; default all. */
  readonly types?: string | undefined
  /** Kinds that are not. */
  readonly exceptTypes?: string | undefined
}

/**
 * The selected nodes in the order given; `initial` stands where `select` says nothing, and `named` answers `selector:`. Throws USAGE for a method
 * that is not known and for a criterion that nothing answers.
 */
export function selectNodes(
  nodes: readonly GraphNode[],
  { select, exclude, types, exceptTypes }: Selection,
  initial: Choice | null = null,
  named?: Selectors['named'],
): GraphNode[] {
  const graph = graphOf(nodes, named)
  const chosen = select?.trim()
    ? union(select, graph)
    : initial === null
      ? new Set(nodes.map(({ id }) => id))
      : chosenBy(initial, graph)
  const left = exclude?.trim() ? union(exclude, graph) : new Set<string>()
  const [wanted, unwanted] = [kindsOf(types), kindsOf(exceptTypes)]
  return nodes.filter(
    ({ id, kind }) => chosen.has(id) && !left.has(id) && (wanted.size === 0 || wanted.has(kind)) && !unwanted.has(kind),
  )
}

interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly parents: ReadonlyMap<string, readonly string[]>
  readonly children: ReadonlyMap<string, readonly string[]>
  readonly named: Selectors['named'] | undefined
}

function graphOf(nodes: readonly GraphNode[], named: Graph['named']): Graph {
  const children = new Map<string, string[]>()
  for (const { id, parents } of nodes)
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), id])
  return { nodes, parents: new Map(nodes.map(({ id, parents }) => [id, parents])), children, named }
}

/** What a part of a selector finds may be nothing. */
function chosenBy(choice: Choice, graph: Graph): Set<string> {
  if (choice.kind === 'criterion') return union(choice.text, graph, 'nothing is fine', choice.indirect)
  const sets = choice.parts.map(part => chosenBy(part, graph))
  const all = sets.flatMap(set => [...set])
  const left = new Set(choice.left.flatMap(part => [...chosenBy(part, graph)]))
  const isIn = (id: string) => choice.kind === 'union' || sets.every(set => set.has(id))
  return new Set(all.filter(id => isIn(id) && !left.has(id)))
}

/** Commas bind closer than spaces. */
function union(
  text: string,
  graph: Graph,
  nothing: Nothing = 'nothing is an error',
  indirect: Indirect = 'eager',
): Set<string> {
  const found = new Set<string>()
  for (const part of text.trim().split(/\s+/)) {
    const sets = part
      .split(',')
      .filter(Boolean)
      .map(criterion => matched(criterion, graph, nothing, indirect))
    const [first = new Set<string>(), ...others] = sets
    for (const id of first) if (others.every(other => other.has(id))) found.add(id)
  }
  return found
}

type Nothing = 'nothing is an error' | 'nothing is fine'

const criterionShape = /^(@)?(?:(\d*)(\+))?(?:([\w.]+):)?(.*?)(?:(\+)(\d*))?$/

function matched(criterion: string, graph: Graph, whenNothing: Nothing, indirect: Indirect): Set<string> {
  const [, at, up = '', plusBefore, method, value = '', plusAfter, down = ''] = criterionShape.exec(criterion) ?? []
  if (at && plusAfter)
    throw new PlinthError('USAGE', `"@" and "+" in "${criterion}" ask for different things.`, {
      hint: `Write @${value}, which brings descendants with all that they need, or ${value}+.`,
    })
  const start =
    method === 'selector'
      ? [...chosenBy(namedBy(value, graph), graph)]
      : graph.nodes.filter(matcherOf(method, value, criterion, graph.nodes)).map(({ id }) => id)
  if (start.length === 0 && whenNothing === 'nothing is an error') throw nothing(criterion, value, graph)
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
  // A selection of its own has said already which checks belong to it.
  return method === 'selector' ? found : withObservers(found, graph, indirect)
}

function namedBy(name: string, { named }: Graph): Choice {
  if (named) return named(name)
  throw new PlinthError('USAGE', `There is no selector "${name}".`, { hint: 'Name it in selectors.yml.' })
}

/** Checks and unit tests of what was found, and not what they look at beside it. */
function withObservers(found: ReadonlySet<string>, graph: Graph, indirect: Indirect): Set<string> {
  if (indirect === 'empty') return new Set(found)
  const ancestors = indirect === 'buildable' ? reach([...found], graph.parents, Number.POSITIVE_INFINITY) : found
  const isThere = (id: string) =>
    found.has(id) || ancestors.has(id) || (indirect === 'buildable' && id.startsWith('source.'))
  const observers = graph.nodes.filter(
    ({ kind, parents }) =>
      (kind === 'test' || kind === 'unit_test') &&
      parents.some(parent => found.has(parent)) &&
      (indirect === 'eager' || parents.every(isThere)),
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

function nothing(criterion: string, value: string, { nodes }: Graph): PlinthError {
  const guess = nearest(
    value,
    nodes.map(({ name }) => name),
  )
  return new PlinthError('USAGE', `Nothing in the analytics project answers "${criterion}".`, {
    hint: guess ? `Did you mean "${guess}"?` : 'See what there is: plinth rollup list.',
  })
}

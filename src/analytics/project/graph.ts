/** The order of transforms. */
import { nearest, type Place, PlinthError } from '../../errors.ts'

export interface GraphNode {
  readonly name: string
  readonly refs: readonly string[]
}

/** Nodes so that each comes after those that it refers to, else by name. Throws TRANSFORM_INVALID for a circle, naming it. */
export function orderTransforms<T extends GraphNode>(
  nodes: readonly T[],
  placeOf: (node: T) => Place,
  /** Names that may be referred to and have no place in the order. */
  given: ReadonlySet<string> = new Set(),
): T[] {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const ordered: T[] = []
  const done = new Set<string>()
  const visit = (node: T, path: readonly string[]): void => {
    if (done.has(node.name)) return
    const at = path.indexOf(node.name)
    if (at >= 0) throw circle([...path.slice(at), node.name], placeOf(node))
    for (const name of [...node.refs].sort()) {
      const next = byName.get(name)
      if (!next && given.has(name)) continue
      if (!next) throw unknownTransform(name, placeOf(node), [...byName.keys()])
      visit(next, [...path, node.name])
    }
    done.add(node.name)
    ordered.push(node)
  }
  for (const node of [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1))) visit(node, [])
  return ordered
}

/**
 * The transforms that read the source, directly or through others, in the order given. What stands on a snapshot is none of them: it keeps
 * what was, which the source cannot tell.
 */
export function descendantsOf<
  T extends {
    readonly name: string
    readonly refs: readonly string[]
    readonly sources: readonly string[]
    readonly materialized?: string
  },
>(ordered: readonly T[], source: string): T[] {
  const reached = new Set<string>()
  const kept = new Set<string>()
  return ordered.filter(node => {
    if (node.materialized === 'snapshot' || node.refs.some(name => kept.has(name))) {
      kept.add(node.name)
      return false
    }
    const reads = node.sources.includes(source) || node.refs.some(name => reached.has(name))
    if (reads) reached.add(node.name)
    return reads
  })
}

/** The names with those of everything that they read, directly or through others. */
export function withInputs(ordered: readonly GraphNode[], names: ReadonlySet<string>): ReadonlySet<string> {
  const wanted = new Set(names)
  for (const node of ordered.toReversed()) if (wanted.has(node.name)) for (const ref of node.refs) wanted.add(ref)
  return wanted
}

export function unknownTransform(name: string, place: Place | undefined, known: readonly string[]): PlinthError {
  const guess = nearest(name, known)
  return new PlinthError('TRANSFORM_INVALID', `There is no transform "${name}".`, {
    at: place,
    hint: guess ? `Did you mean ref('${guess}')?` : `Known transforms: ${known.join(', ') || 'none'}.`,
  })
}

function circle(path: readonly string[], place: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', `Transforms refer to each other in a circle: ${path.join(' → ')}.`, {
    at: place,
    hint: 'Take one of these references out.',
    details: { circle: path },
  })
}

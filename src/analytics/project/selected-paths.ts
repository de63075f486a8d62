/** Selection by path: files and folders of the project that a pattern finds, in which `*` stays within a folder and `**` does not. Pure. */
import type { GraphNode } from './nodes.ts'
import { wildcard } from './wildcard.ts'

/** What lies in the files or folders that are found, or is described in such a file. */
export function pathMatcher(value: string, nodes: readonly GraphNode[]): (node: GraphNode) => boolean {
  const known = new Set(nodes.filter(({ isOwn }) => isOwn).flatMap(node => filesOf(node).flatMap(withFolders)))
  const wanted = segmentsOf(value)
  // A path may be given from the project's folder or from the one above.
  const found = new Set([...known].filter(path => finds(wanted, path) || finds(wanted, `analytics/${path}`)))
  return node => withFolders(node.path).some(path => found.has(path)) || found.has(node.patchPath ?? '')
}

function filesOf({ path, patchPath }: GraphNode): string[] {
  return patchPath === undefined ? [path] : [path, patchPath]
}

/** The file, and each folder that it lies in. */
function withFolders(path: string): string[] {
  const parts = path.split('/')
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function segmentsOf(value: string): string[] {
  return value.split('/').filter(part => part !== '' && part !== '.')
}

function finds(wanted: readonly string[], path: string): boolean {
  return matches(wanted, path.split('/'))
}

function matches(wanted: readonly string[], parts: readonly string[]): boolean {
  const [first, ...rest] = wanted
  if (first === undefined) return parts.length === 0
  if (first === '**') return parts.some((_, index) => matches(rest, parts.slice(index))) || rest.length === 0
  const [part, ...others] = parts
  return part !== undefined && wildcard(first)(part) && matches(rest, others)
}

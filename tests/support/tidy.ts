/**
 * Reads a source tree and tells where it breaks the rules of the house: an arrow up, a part that imports another part, a circle, a
 * migration without its opposite, a file that is named after nothing. `tests/tidy.test.ts` runs it on this repository and on bad trees.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

export interface Complaint {
  readonly rule: 'layer unknown' | 'arrow up' | 'part imports part' | 'circle' | 'pair' | 'name'
  /** The place: `file:line`, a circle's files, or a migration's file, relative to the root. */
  readonly at: string
  readonly says: string
}

/** Layers of `src/`: an import may only point to the same layer or a lower one. */
const layers: Readonly<Record<string, number>> = {
  cli: 7,
  server: 6,
  'index.ts': 6,
  'foundation.ts': 5,
  foundation: 5,
  migrations: 4,
  lint: 4,
  seeds: 4,
  analytics: 4,
  governance: 4,
  contract: 4,
  artifacts: 4,
  engines: 3,
  sql: 2,
  config: 2,
  schema: 1,
  telemetry: 1,
  'errors.ts': 1,
}

/** The layer whose members know nothing of each other. */
const partsLayer = 4

/** Every complaint about the tree at `root`, sorted; empty when it is tidy. */
export function checkTree(root: string): Complaint[] {
  const files = sourceFiles(join(root, 'src')).map(file => posix(relative(join(root, 'src'), file)))
  const imports = files.flatMap(file => importsOf(join(root, 'src'), file))
  return [
    ...files.filter(file => layerOf(file) === undefined).map(unknownLayer),
    ...imports.flatMap(checkArrow),
    ...circles(files, imports),
    ...migrationPairs(join(root, 'db/migrations')),
    ...[...sourceFiles(join(root, 'src')), ...sourceFiles(join(root, 'tests'))].flatMap(file =>
      checkName(posix(relative(root, file))),
    ),
  ].sort((a, b) => compare(a.rule, b.rule) || compare(a.at, b.at))
}

export interface Import {
  /** Relative to `src/`, with forward slashes. */
  readonly from: string
  readonly to: string
  readonly line: number
}

/** Relative imports of a file: static, re-exported, type-only, dynamic and `typeof import(…)`. Comments do not import. */
export function importsOf(source: string, file: string): Import[] {
  const text = withoutComments(readFileSync(join(source, file), 'utf8'))
  const found = [...text.matchAll(staticImport), ...text.matchAll(dynamicImport)]
  return found
    .map(match => ({
      from: file,
      to: posix(relative(source, join(source, dirname(file), match[1] ?? ''))),
      line: text.slice(0, match.index + match[0].length).split('\n').length,
    }))
    .sort((a, b) => a.line - b.line || compare(a.to, b.to))
}

// A statement begins a line, as the formatter has it, and its clause holds no quote; the specifier starts with a dot.
const staticImport = /^[ \t]*(?:import|export)\b(?:[^'"`;()]*?\bfrom)?\s*['"](\.[^'"]*)['"]/gm
const dynamicImport = /\bimport\s*\(\s*['"`](\.[^'"`]*)['"`]/g

/** Comments that stand on lines of their own are blanked; line breaks stay, so that lines still count. */
function withoutComments(text: string): string {
  const blank = (comment: string) => comment.replace(/[^\n]/g, ' ')
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, blank).replace(/^[ \t]*\/\/.*$/gm, blank)
}

function checkArrow({ from, to, line }: Import): Complaint[] {
  const [fromLayer, toLayer] = [layerOf(from), layerOf(to)]
  if (fromLayer === undefined || toLayer === undefined) return []
  const [fromPart, toPart] = [topOf(from), topOf(to)]
  if (toLayer > fromLayer)
    return [
      {
        rule: 'arrow up',
        at: `src/${from}:${line}`,
        says: `${fromPart} (layer ${fromLayer}) imports ${toPart} (layer ${toLayer})`,
      },
    ]
  if (fromLayer === partsLayer && toLayer === partsLayer && fromPart !== toPart) {
    return [
      {
        rule: 'part imports part',
        at: `src/${from}:${line}`,
        says: `${fromPart} imports ${toPart}; foundation.ts passes the value instead`,
      },
    ]
  }
  return []
}

/** One complaint for each knot of files that reach each other, with a shortest circle through its first file. */
function circles(files: readonly string[], imports: readonly Import[]): Complaint[] {
  const arrows = new Map(
    files.map(file => [file, [...new Set(imports.filter(each => each.from === file).map(each => each.to))].sort()]),
  )
  const told = new Set<string>()
  return [...files].sort().flatMap(file => {
    if (told.has(file)) return []
    const path = shortestCircle(file, arrows)
    if (!path) return []
    for (const member of path) told.add(member)
    return [{ rule: 'circle' as const, at: `src/${file}`, says: [...path, file].join(' → ') }]
  })
}

function shortestCircle(start: string, arrows: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const paths: string[][] = [[start]]
  const seen = new Set<string>()
  for (let path = paths.shift(); path; path = paths.shift()) {
    for (const next of arrows.get(path.at(-1) ?? '') ?? []) {
      if (next === start) return path
      if (seen.has(next)) continue
      seen.add(next)
      paths.push([...path, next])
    }
  }
  return undefined
}

/** Every track's folder: an up has its down, and the reverse. */
function migrationPairs(folder: string): Complaint[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap(name => {
    const direction = /\.(up|down)\.sql$/.exec(name)?.[1]
    if (!direction) return []
    const opposite = direction === 'up' ? 'down' : 'up'
    const pair = name.replace(/\.(?:up|down)\.sql$/, `.${opposite}.sql`)
    if (existsSync(join(folder, pair))) return []
    return [{ rule: 'pair' as const, at: `db/migrations/${posix(name)}`, says: `has no .${opposite}.sql beside it` }]
  })
}

function checkName(file: string): Complaint[] {
  const empty = file
    .split('/')
    .find(segment => /(?:^|[-.])(?:utils?|helpers?|common|managers?)(?:[-.]|$)/i.test(segment))
  return empty ? [{ rule: 'name', at: file, says: `"${empty}" says nothing of what is in it` }] : []
}

function unknownLayer(file: string): Complaint {
  return { rule: 'layer unknown', at: `src/${file}`, says: `${topOf(file)} is in no layer of tests/support/tidy.ts` }
}

function layerOf(file: string): number | undefined {
  return layers[topOf(file)]
}

function topOf(file: string): string {
  return file.split('/')[0] ?? file
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}

function posix(path: string): string {
  return path.split(sep).join('/')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

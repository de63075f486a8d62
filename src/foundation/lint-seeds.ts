/** The seed files of the project as lint judges them: their texts, and the values that stand in them as they are. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import type { Config } from '../config/load.ts'
import { asPlinthError, type Place } from '../errors.ts'
import type { SeedText, SeedValue } from '../lint/seeds.ts'
import type { LintSource } from '../lint/source.ts'
import type { TableFile } from '../seeds/shape.ts'

/** Every file below the folder of packages, or those that are named. Empty where the project has no seeds. */
export async function seedSources({ seeds }: Config, named: readonly string[]): Promise<LintSource[]> {
  if (!existsSync(seeds)) return []
  const files = named.length > 0 ? named.map(name => resolve(name)) : await filesBelow(seeds)
  return Promise.all(files.sort().map(sourceOf))
}

/** Whether a named file is one of the project's seeds, so that it is not read as SQL. */
export function isSeed({ seeds }: Config, name: string): boolean {
  const path = resolve(name)
  return isYaml(path) && path.startsWith(resolve(seeds) + sep)
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  return entries.filter(entry => entry.isFile() && isYaml(entry.name)).map(entry => join(entry.parentPath, entry.name))
}

function isYaml(name: string): boolean {
  return /\.ya?ml$/.test(name)
}

async function sourceOf(file: string): Promise<LintSource> {
  const text = await readFile(file, 'utf8')
  const near = relative(process.cwd(), file)
  const path = near.startsWith('../../..') ? file : near
  return { path, direction: 'up', version: null, slug: null, text, opposite: null, role: 'judged' }
}

/** A file that cannot be read is a finding, and does not hide the others. */
export async function readSeed(source: LintSource): Promise<SeedText> {
  if (/(^|[\\/])package\.ya?ml$/.test(source.path)) return { source, values: [], failure: null }
  const { parseYaml } = await import('../config/yaml.ts')
  const { tableShape } = await import('../seeds/shape.ts')
  try {
    const { value, place } = await parseYaml(source.text, source.path, tableShape, 'SEED_INVALID', 'seed')
    return { source, values: valuesOf(value, path => place(path)), failure: null }
  } catch (thrown) {
    const { message, hint, at } = asPlinthError(thrown)
    return { source, values: [], failure: { message, hint: hint ?? null, line: at?.line ?? 1 } }
  }
}

/** Only texts: `$name` is a variable, `$$` a dollar, and what is made or protected is a map. */
function valuesOf({ table, columns, rows }: TableFile, place: (path: readonly PropertyKey[]) => Place): SeedValue[] {
  const labelled = typeof rows === 'object' && !('each' in rows && typeof rows.each === 'string') ? rows : {}
  const rowsByPath = Object.entries(labelled).map(([label, row]) => ({ path: ['rows', label], row: row ?? {} }))
  return [{ path: ['columns'], row: columns }, ...rowsByPath].flatMap(({ path, row }) =>
    Object.entries(row as Readonly<Record<string, unknown>>).flatMap(([column, value]) => {
      if (typeof value !== 'string' || /^\$(?!\$)/.test(value) || column.startsWith('$')) return []
      const { line = 1, column: columnNumber = 1 } = place([...path, column])
      return [{ table, column, value: value.replaceAll('$$', '$'), line, columnNumber }]
    }),
  )
}

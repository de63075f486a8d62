/** Packages that a project names, as `dbt deps` puts them into a folder. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import * as z from 'zod'
import { parseYaml } from '../../config/yaml.ts'
import { type Place, PlinthError } from '../../errors.ts'
import { parseTemplate, type Template } from '../../sql/template.ts'
import { type Folder, listFiles, readText, type SettingsFile } from './files.ts'
import { mappingOf, type ProjectSettings, projectShape, textOf } from './shapes.ts'

export interface Package {
  readonly name: string
  readonly where: Folder
  readonly settings: SettingsFile
  /** With its generic tests. */
  readonly macros: readonly Template[]
}

/** What an installed package sees otherwise than the project. */
export interface Member {
  readonly macros: readonly Template[]
  readonly variables: Readonly<Record<string, unknown>>
}

/** By name. Throws TRANSFORM_INVALID for a package that is not installed. */
export async function readPackages(where: Folder, settings: SettingsFile): Promise<readonly Package[]> {
  const folder = join(where.folder, settings.value['packages-install-path'])
  const installed = new Map<string, Folder>()
  for (const name of existsSync(folder) ? (await readdir(folder)).sort() : []) {
    const inside = { folder: join(folder, name), root: where.root }
    if (existsSync(join(inside.folder, 'dbt_project.yml'))) installed.set(name, inside)
  }
  for (const [name, inside] of await namedPackages(where, installed)) installed.set(name, inside)
  const packages = new Map<string, Package>()
  for (const inside of installed.values()) {
    const read = await readPackage(inside)
    packages.set(read.name, read)
  }
  return [...packages.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Variables as a package sees them: its own, then those that the project sets for all, then for it. */
export function variablesOf(own: Variables, project: Variables, name: string): Readonly<Record<string, unknown>> {
  return { ...own, ...mappingOf(own?.[name]), ...project, ...mappingOf(project?.[name]) }
}

type Variables = ProjectSettings['vars']

/** Holds what the project asks for against what is there, and answers those that lie elsewhere on this machine. */
async function namedPackages(where: Folder, installed: ReadonlyMap<string, Folder>): Promise<Map<string, Folder>> {
  const elsewhere = new Map<string, Folder>()
  for (const name of ['packages.yml', 'dependencies.yml']) {
    const path = join(where.folder, name)
    if (!existsSync(path)) continue
    const file = relative(where.root, path)
    const shape = z.looseObject({ packages: z.array(z.looseObject({})).nullish() }).nullish()
    const { value, place } = await parseYaml(
      await readText(path, where.root),
      file,
      shape,
      'TRANSFORM_INVALID',
      'packages',
    )
    for (const [index, asked] of (value?.packages ?? []).entries()) {
      const at = place(['packages', index])
      const local = textOf(asked['local'])
      if (local !== undefined && existsSync(join(where.folder, local, 'dbt_project.yml')))
        elsewhere.set(`local ${local}`, { folder: join(where.folder, local), root: where.root })
      else if (local !== undefined || !isInstalled(asked, installed)) throw notInstalled(asked, at)
    }
  }
  return elsewhere
}

function isInstalled(asked: Readonly<Record<string, unknown>>, installed: ReadonlyMap<string, Folder>): boolean {
  const given = textOf(asked['package']) ?? textOf(asked['git']) ?? textOf(asked['tarball']) ?? ''
  const name =
    textOf(asked['name']) ??
    given
      .replace(/\/+$/, '')
      .split('/')
      .at(-1)
      ?.replace(/\.git$/, '') ??
    ''
  const plain = (text: string) => text.toLowerCase().replaceAll('-', '_').replace(/^dbt_/, '')
  // What a repository holds may be called otherwise.
  return (
    [...installed.keys()].some(one => plain(one) === plain(name)) ||
    (asked['package'] === undefined && installed.size > 0)
  )
}

function notInstalled(asked: Readonly<Record<string, unknown>>, at: Place): PlinthError {
  const name = ['package', 'git', 'local', 'tarball'].flatMap(key => textOf(asked[key]) ?? [])[0] ?? 'a package'
  return new PlinthError('TRANSFORM_INVALID', `The package ${name} is not installed.`, {
    at,
    hint: 'Run `dbt deps` in the folder of the project, or put the package into dbt_packages.',
  })
}

async function readPackage(inside: Folder): Promise<Package> {
  const path = join(inside.folder, 'dbt_project.yml')
  const file = relative(inside.root, path)
  const read = await parseYaml(await readText(path, inside.root), file, projectShape(), 'TRANSFORM_INVALID', 'project')
  const { value } = read
  const where = { ...inside, owner: value.name }
  const macros: Template[] = []
  for (const one of [
    ...(await listFiles(where, value['macro-paths'], /\.sql$/)),
    ...(await listFiles(
      where,
      value['test-paths'].map(folder => `${folder}/generic`),
      /\.sql$/,
    )),
  ]) {
    const source = withoutMaterializations(await readText(one, where.root))
    macros.push(parseTemplate({ file: relative(where.root, one), source, owner: value.name }))
  }
  return { name: value.name, where, settings: { ...read, file }, macros }
}

/** They are written for dbt's own way to run a model; who is materialized by one is refused by its name. */
function withoutMaterializations(source: string): string {
  return source.replace(/\{%-?\s*materialization\b[\s\S]*?\{%-?\s*endmaterialization\s*-?%\}/g, block =>
    block.replace(/[^\n]/g, ''),
  )
}

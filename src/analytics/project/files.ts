/** The files of an analytics project, read and held against what is supported. Everything wrong in them has a file and a line. */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseYaml, type YamlFile } from '../../config/yaml.ts'
import { type Place, PlinthError } from '../../errors.ts'
import { parseTemplate, type Template } from '../../sql/template.ts'
import {
  columnKeys,
  modelKeys,
  projectKeys,
  propertiesKeys,
  refuseKeys,
  snapshotKeys,
  sourceKeys,
  tableKeys,
  unitTestKeys,
} from './keys.ts'
import { type ProjectSettings, projectShape, type PropertiesFile, propertiesShape } from './shapes.ts'

/** Where a project is and what its paths are relative to in messages. */
export interface Folder {
  readonly folder: string
  readonly root: string
  /** The installed package that it is of; undefined for the project itself. */
  readonly owner?: string | undefined
}

export interface SettingsFile extends YamlFile<ProjectSettings> {
  readonly file: string
}

/** Reads `dbt_project.yml`. Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function readSettings({ folder, root }: Folder): Promise<SettingsFile> {
  const path = join(folder, 'dbt_project.yml')
  const file = relative(root, path)
  if (!existsSync(path)) {
    throw new PlinthError('FOLDER_NOT_FOUND', `There is no analytics project in ${relative(root, folder) || folder}.`, {
      at: { file },
      hint: 'An analytics project has a dbt_project.yml. Set `analytics` in the configuration to its folder.',
    })
  }
  const read = await parseYaml(await readText(path, root), file, projectShape(), 'TRANSFORM_INVALID', 'project')
  refuseKeys(read.value, projectKeys, key => read.place([key]))
  return { ...read, file }
}

/** Throws TRANSFORM_INVALID for files of kinds that are not run here: each would be left out silently otherwise. */
export async function refuseForeignFiles(where: Folder, settings: ProjectSettings): Promise<void> {
  const refuse = async (paths: readonly string[], ending: RegExp, what: string, hint: string) => {
    const [first] = await listFiles(where, paths, ending)
    if (first === undefined) return
    throw new PlinthError('TRANSFORM_INVALID', `${what} are not supported.`, {
      at: { file: relative(where.root, first), line: 1 },
      hint,
    })
  }
  await refuse(settings['model-paths'], /\.py$/, 'Transforms in Python', 'Supported: SQL files.')
}

/** Files of some folders of the project whose names end so, sorted. */
export async function listFiles({ folder }: Folder, paths: readonly string[], ending: RegExp): Promise<string[]> {
  const found = new Set<string>()
  for (const path of paths) {
    const base = join(folder, path)
    if (!existsSync(base)) continue
    const entries = await readdir(base, { recursive: true, withFileTypes: true })
    for (const entry of entries)
      if (entry.isFile() && ending.test(entry.name)) found.add(join(entry.parentPath, entry.name))
  }
  return [...found].sort()
}

/** A template and where it lies within the project. */
export interface TemplateAt {
  readonly template: Template
  /** With `/`, whatever the system writes. */
  readonly path: string
}

export async function readTemplates(where: Folder, files: readonly string[]): Promise<TemplateAt[]> {
  const templates: TemplateAt[] = []
  for (const path of files) {
    const source = await readText(path, where.root)
    const template = parseTemplate({ file: relative(where.root, path), source, owner: where.owner })
    templates.push({ template, path: pathWithin(where, path) })
  }
  return templates
}

export function pathWithin({ folder }: Folder, path: string): string {
  return relative(folder, path).replaceAll('\\', '/')
}

export async function readText(file: string, root: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new PlinthError('FILE_UNREADABLE', 'A file of the analytics project cannot be read.', {
      at: { file: relative(root, file) },
      cause: error,
    })
  })
}

export async function readProperties(where: Folder, files: readonly string[]): Promise<PropertiesFile[]> {
  const shape = propertiesShape()
  const read: PropertiesFile[] = []
  for (const path of files) {
    const file = relative(where.root, path)
    const source = await readText(path, where.root)
    if (source.replace(/^\s*#.*$/gm, '').trim() === '') continue
    const content = await parseYaml(source, file, shape, 'TRANSFORM_INVALID', 'properties')
    const properties = { file, path: pathWithin(where, path), value: content.value, place: content.place }
    // What a package says beside is its author's to mend.
    if (where.owner === undefined) refuseUnknown(properties)
    read.push(properties)
  }
  return read
}

/** Texts of `{% docs name %}` blocks by name. */
export async function readDocs(where: Folder, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const docs = new Map<string, string>()
  for (const file of await listFiles(where, paths, /\.md$/)) {
    const text = await readText(file, where.root)
    for (const [, name = '', body = ''] of text.matchAll(
      /\{%-?\s*docs\s+(\w+)\s*-?%\}([\s\S]*?)\{%-?\s*enddocs\s*-?%\}/g,
    ))
      docs.set(name, body.trim())
  }
  return docs
}

/** A description with what it says of `doc('name')` filled in. Throws TRANSFORM_INVALID. */
export function described(text: string | null | undefined, docs: ReadonlyMap<string, string>, at: Place): string {
  return (text ?? '').replace(/\{\{\s*doc\(\s*['"](?:\w+['"]\s*,\s*['"])?(\w+)['"]\s*\)\s*\}\}/g, (_, name: string) => {
    const found = docs.get(name)
    if (found !== undefined) return found
    throw new PlinthError('TRANSFORM_INVALID', `There is no block of documentation "${name}".`, {
      at,
      hint: `Write {% docs ${name} %} … {% enddocs %} into a .md file beside the transforms.`,
    })
  })
}

type Keyed = Readonly<Record<string, unknown>>

function refuseUnknown({ value, place }: PropertiesFile): void {
  const at = (path: readonly PropertyKey[]) => (key: string) => place([...path, key])
  const each = (list: readonly Keyed[] | null | undefined, path: readonly PropertyKey[], known: readonly string[]) => {
    for (const [index, item] of (list ?? []).entries()) refuseKeys(item, known, at([...path, index]))
  }
  refuseKeys(value, propertiesKeys, at([]))
  for (const kind of ['models', 'seeds', 'snapshots'] as const) {
    each(value[kind], [kind], kind === 'snapshots' ? [...modelKeys, ...snapshotKeys] : modelKeys)
    for (const [index, model] of (value[kind] ?? []).entries())
      each(model.columns, [kind, index, 'columns'], columnKeys)
  }
  each(value.unit_tests, ['unit_tests'], unitTestKeys)
  each(value.sources, ['sources'], sourceKeys)
  for (const [index, source] of (value.sources ?? []).entries()) {
    each(source.tables, ['sources', index, 'tables'], tableKeys)
    for (const [tableIndex, table] of (source.tables ?? []).entries())
      each(table.columns, ['sources', index, 'tables', tableIndex, 'columns'], columnKeys)
  }
}

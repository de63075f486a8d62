/** The parts that a project is read from: the packages that it has installed, and itself. */
import type { Exposure } from './project.ts'
import {
  type Folder,
  listFiles,
  readDocs,
  readProperties,
  readSettings,
  readTemplates,
  refuseForeignFiles,
  type SettingsFile,
  type TemplateAt,
} from './files.ts'
import { type Package, readPackages } from './packages.ts'
import { mappingOf, type ProjectSettings, type PropertiesFile, textOf, wordsOf } from './shapes.ts'
import { type AllVersions, versionsOf, withVersions } from './versions.ts'
import type { Template } from '../../sql/template.ts'

/** The project, or a package that it has installed, as its files have it. */
export interface Part {
  readonly name: string
  readonly where: Folder
  readonly settings: SettingsFile
  /** Those of the project around it; undefined for the project itself. */
  readonly outer: SettingsFile | undefined
  readonly properties: readonly PropertiesFile[]
  readonly versions: AllVersions
  readonly docs: ReadonlyMap<string, string>
  /** With its generic tests. */
  readonly macros: readonly Template[]
  /** Tests that are files of their own. */
  readonly singular: readonly TemplateAt[]
}

/** Packages by name, then the project. Throws FOLDER_NOT_FOUND, FILE_UNREADABLE, TRANSFORM_INVALID. */
export async function readParts(
  where: Folder,
): Promise<{ readonly project: Part; readonly packages: readonly Part[] }> {
  const settings = await readSettings(where)
  await refuseForeignFiles(where, settings.value)
  const project = await readPart(where, settings, undefined)
  const packages: Part[] = []
  for (const one of await readPackages(where, settings))
    packages.push(await readPart(one.where, one.settings, { one, settings }))
  return { project, packages }
}

interface Within {
  readonly one: Package
  readonly settings: SettingsFile
}

async function readPart(where: Folder, settings: SettingsFile, within: Within | undefined): Promise<Part> {
  const { value } = settings
  const read = await readProperties(where, await listFiles(where, propertyPaths(value), /\.ya?ml$/))
  const files = (await listFiles(where, value['test-paths'], /\.sql$/)).filter(file => !isFixture(file))
  const tests = await readTemplates(where, files)
  const generic = tests.filter(({ template }) => template.macros.length > 0)
  const own = within ? [] : await readTemplates(where, await listFiles(where, value['macro-paths'], /\.sql$/))
  return {
    name: value.name,
    where,
    settings,
    outer: within?.settings,
    properties: read.map(withVersions),
    versions: versionsOf(read),
    docs: await readDocs(where, value['docs-paths'] ?? [...value['model-paths'], ...value['macro-paths']]),
    macros: within ? within.one.macros : [...own, ...generic].map(({ template }) => template),
    singular: tests.filter(test => !generic.includes(test)),
  }
}

function propertyPaths(value: ProjectSettings): string[] {
  return (['model', 'test', 'macro', 'analysis', 'seed', 'snapshot'] as const).flatMap(kind => value[`${kind}-paths`])
}

function isFixture(file: string): boolean {
  return /[\\/]fixtures[\\/]/.test(file)
}

/** What stands on the transforms elsewhere, such as dashboards. */
export function exposuresOf(parts: readonly Part[]): Exposure[] {
  return parts.flatMap(({ properties, where }) =>
    properties.flatMap(({ value, path }) =>
      (value.exposures ?? []).map((given): Exposure => {
        const { name, description, tags, depends_on } = mappingOf(given)
        const reads = Array.isArray(depends_on) ? depends_on.map(one => textOf(one) ?? '') : []
        const matched = (shape: RegExp) => reads.flatMap(one => [shape.exec(one)].filter(found => found !== null))
        return {
          name: textOf(name) ?? '',
          owner: where.owner,
          path,
          description: textOf(description) ?? '',
          tags: wordsOf(tags),
          refs: matched(/ref\((?:[^,)]*,)?\s*['"](\w+)['"]\s*\)/).map(([, ref = '']) => ref),
          sources: matched(/source\(\s*['"](\w+)['"]\s*,\s*['"](\w+)['"]\s*\)/).map(
            ([, group, table]) => `${group}.${table}`,
          ),
        }
      }),
    ),
  )
}

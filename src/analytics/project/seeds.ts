/** Files of rows that a project brings: where each is loaded to, how it is read, and what properties say of it. */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { PlinthError } from '../../errors.ts'
import { layered, treeLayers } from './configs.ts'
import { type Describing, isEnabled, type Patches } from './describe.ts'
import { described, type Folder, listFiles, pathWithin, readText } from './files.ts'
import { hooksOf } from './hooks.ts'
import { seedConfig } from './keys.ts'
import { renderSetting, schemaOf, tableNameOf } from './naming.ts'
import type { Seed } from './project.ts'
import { columnsOf } from './promises.ts'
import { isYes, mappingOf, textOf, wordsOf } from './shapes.ts'

/** The name of a file of rows, by which transforms refer to it. */
export function seedName(path: string): string {
  return basename(path).replace(/\.csv$/i, '')
}

export function listSeeds(where: Folder, paths: readonly string[]): Promise<string[]> {
  return listFiles(where, paths, /\.csv$/i)
}

/** Throws TRANSFORM_INVALID, FILE_UNREADABLE. Null for one that is switched off. */
export async function describeSeed(
  file: string,
  patch: Patches[string],
  { where, settings, outer, docs, names }: Describing,
): Promise<Seed | null> {
  const name = seedName(file)
  const path = pathWithin(where, file)
  const text = await readText(file, where.root)
  const subject = patch?.place(['name']) ?? { file: describedFile(where, file), line: 1 }
  const steps = [settings.value.name, ...path.split('/').slice(1, -1), name]
  const { config, meta, tags: loose } = patch?.model ?? {}
  const layers = [
    ...treeLayers(settings.value.seeds, steps, seedConfig, at => settings.place(['seeds', ...at])),
    ...(patch
      ? [
          {
            values: { ...(meta ? { meta } : {}), ...(loose ? { tags: loose } : {}) },
            place: (key: string) => patch.place([key]),
          },
          { values: config ?? {}, place: (key: string) => patch.place(['config', key]) },
        ]
      : []),
    // A project has the last word on what its packages bring.
    ...(outer ? treeLayers(outer.value.seeds, steps, seedConfig, at => outer.place(['seeds', ...at])) : []),
  ]
  const laid = layered(layers, seedConfig, subject)
  const values: Record<string, unknown> = {}
  for (const [key, given] of Object.entries(laid.values))
    values[key] = key.endsWith('_hook') ? given : await renderSetting(given, names, laid.place(key))
  if (!isEnabled(values['enabled'])) return null
  const place = { ...laid, values }
  const tags = wordsOf(values['tags'])
  const node = { name, kind: 'seed', path, tags, config: values } as const
  const columnTypes = typesOf(values['column_types'], laid.place('column_types'))
  const delimiter = textOf(values['delimiter']) ?? ','
  const nullWord = values['fast'] !== undefined && !isYes(values['fast']) ? 'none' : 'text'
  return {
    name,
    kind: 'seed',
    owner: where.owner,
    schema: await schemaOf(values['schema'], node, names, laid.place('schema')),
    table: await tableNameOf(values['alias'], node, names, laid.place('alias')),
    file,
    path,
    digest: digestOf(text, { columnTypes, delimiter, nullWord }),
    delimiter,
    columnTypes,
    nullWord,
    hooks: hooksOf(place, where.owner),
    tags,
    patchPath: patch?.path,
    grantsPlace: values['grants'] === undefined ? undefined : laid.place('grants'),
    description: described(patch?.model.description, docs, subject),
    config: { ...values, materialized: 'seed' },
    columns: columnsOf(patch, docs),
    place: subject,
  }
}

function describedFile({ root }: Folder, file: string): string {
  return file.startsWith(root) ? file.slice(root.length).replace(/^[\\/]/, '') : file
}

function digestOf(text: string, reading: unknown): string {
  return createHash('sha256').update(text).update(JSON.stringify(reading)).digest('hex').slice(0, 32)
}

function typesOf(given: unknown, at: Seed['place']): Record<string, string> {
  const types = Object.entries(mappingOf(given)).map(([name, type]) => [name, textOf(type)] as const)
  const wrong = types.find(([, type]) => type === undefined)
  if (wrong) throw new PlinthError('TRANSFORM_INVALID', `The type of the column "${wrong[0]}" is no text.`, { at })
  return Object.fromEntries(types) as Record<string, string>
}

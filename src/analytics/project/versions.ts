/** Versions of a transform: each is a transform of its own, described by what all have in common and what it says itself. */
import { PlinthError } from '../../errors.ts'
import type { ModelProperties, PropertiesFile } from './shapes.ts'
import { mappingOf, textOf } from './shapes.ts'

/** The versions of one transform by what `ref` names them. */
export interface Versions {
  /** Name of the transform that `ref` without a version means. */
  readonly latest: string
  readonly names: ReadonlyMap<string, string>
  /** Names by the file that holds them, without its ending. */
  readonly files: ReadonlyMap<string, string>
}

/** By the name that they share. */
export type AllVersions = ReadonlyMap<string, Versions>

/** Throws TRANSFORM_INVALID for versions that cannot be told apart. */
export function versionsOf(files: readonly PropertiesFile[]): AllVersions {
  const all = new Map<string, Versions>()
  for (const { value, place } of files) {
    for (const [index, model] of (value.models ?? []).entries()) {
      const given = listOf(model)
      if (given.length === 0) continue
      const numbers = given.map(one => textOf(one['v']) ?? '')
      if (new Set(numbers).size !== numbers.length || numbers.includes(''))
        throw new PlinthError('TRANSFORM_INVALID', `The versions of "${model.name}" are not told apart.`, {
          at: place(['models', index, 'versions']),
          hint: 'Give each a number of its own: v.',
        })
      const nameOf = (number: string) => `${model.name}_v${number}`
      const latest = textOf(mappingOf(model)['latest_version']) ?? [...numbers].sort(byNumber).at(-1) ?? ''
      const stored = given.flatMap((one, at): [string, string][] => {
        const name = nameOf(numbers[at] ?? '')
        const own: [string, string] = [textOf(one['defined_in']) ?? name, name]
        // The latest one may have the file without a number.
        return numbers[at] === latest && one['defined_in'] === undefined ? [own, [model.name, name]] : [own]
      })
      all.set(model.name, {
        latest: nameOf(latest),
        names: new Map(numbers.map(number => [number, nameOf(number)])),
        files: new Map(stored),
      })
    }
  }
  return all
}

/** The files with an entry for each version in the place of one for all. */
export function withVersions(file: PropertiesFile): PropertiesFile {
  const models = file.value.models ?? []
  if (models.every(model => listOf(model).length === 0)) return file
  const made = models.flatMap((model, index) => {
    const versions = listOf(model)
    if (versions.length === 0) return [{ model, at: [index] as readonly PropertyKey[] }]
    return versions.map((version, number) => ({ model: ofVersion(model, version), at: [index, 'versions', number] }))
  })
  return {
    ...file,
    value: { ...file.value, models: made.map(({ model }) => model) },
    place: path => {
      const [kind, index, ...rest] = path
      return kind === 'models' && typeof index === 'number'
        ? file.place(['models', ...(made[index]?.at ?? [index]), ...rest])
        : file.place(path)
    },
  }
}

function ofVersion(model: ModelProperties, version: Readonly<Record<string, unknown>>): ModelProperties {
  const { versions: _, ...common } = model as ModelProperties & { versions?: unknown }
  const { v, defined_in: __, columns, config, ...own } = version
  return {
    ...common,
    ...(own as Partial<ModelProperties>),
    name: `${model.name}_v${textOf(v) ?? ''}`,
    config: { ...model.config, ...mappingOf(config) },
    columns: columnsOf(model, columns),
  }
}

type Columns = NonNullable<ModelProperties['columns']>

/** An entry `include` takes columns of all versions, but for those that it leaves out. */
function columnsOf(model: ModelProperties, given: unknown): Columns {
  const common = model.columns ?? []
  if (!Array.isArray(given)) return [...common]
  const entries = given as readonly Record<string, unknown>[]
  const rule = entries.find(entry => 'include' in entry || 'exclude' in entry)
  const own = entries.filter(entry => entry !== rule) as Columns
  const wanted = rule?.['include']
  const left = new Set([...((rule?.['exclude'] as string[] | undefined) ?? []), ...own.map(({ name }) => name)])
  const isWanted = (name: string) =>
    wanted === undefined || wanted === 'all' || wanted === '*' || (Array.isArray(wanted) && wanted.includes(name))
  return [...common.filter(({ name }) => isWanted(name) && !left.has(name)), ...own]
}

function listOf(model: ModelProperties): readonly Readonly<Record<string, unknown>>[] {
  const given = (model as { readonly versions?: unknown }).versions
  return Array.isArray(given) ? given.map(mappingOf) : []
}

function byNumber(a: string, b: string): number {
  return Number(a) - Number(b) || (a < b ? -1 : 1)
}

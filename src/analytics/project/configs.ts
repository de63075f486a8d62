/**
 * Settings as dbt lays them over each other: the project's tree by folder, the deeper the stronger, then the properties file, then the
 * file itself. Tags and hooks add up and `meta` is merged by key; of everything else the last one holds.
 */
import type { Place } from '../../errors.ts'
import { type KnownConfig, refuseConfig } from './keys.ts'
import { mappingOf, wordsOf } from './shapes.ts'

/** Settings that stand in one place, weaker ones first in a list of layers. */
export interface Layer {
  readonly values: Readonly<Record<string, unknown>>
  readonly place: (key: string) => Place
}

export interface Settings {
  readonly values: Readonly<Record<string, unknown>>
  /** Where a setting came from; that of the subject when nobody set it. */
  readonly place: (key: string) => Place
}

/** Throws TRANSFORM_INVALID for a setting that is not known. */
export function layered(layers: readonly Layer[], known: KnownConfig, subject: Place): Settings {
  const values: Record<string, unknown> = {}
  const places = new Map<string, Place>()
  for (const { values: given, place } of layers) {
    for (const [written, value] of Object.entries(given)) {
      const key = written.replaceAll('-', '_')
      refuseConfig(key, known, place(written))
      places.set(key, place(written))
      if (key === 'tags') values[key] = [...new Set([...wordsOf(values[key]), ...wordsOf(value)])]
      else if (key === 'meta') values[key] = { ...mappingOf(values[key]), ...mappingOf(value) }
      // Hooks add up, the outermost first.
      else if (key === 'pre_hook' || key === 'post_hook') values[key] = [...listOf(values[key]), ...listOf(value)]
      else values[key] = value
    }
  }
  return { values, place: key => places.get(key) ?? subject }
}

function listOf(value: unknown): readonly unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? (value as unknown[]) : [value]
}

/**
 * The layers of a tree of `dbt_project.yml` that hold for `path`, whose first part is the project's name. A key with a plus is a setting,
 * and so is one with a plain value; a mapping without a plus is a folder.
 */
export function treeLayers(
  tree: unknown,
  path: readonly string[],
  known: KnownConfig,
  place: (path: readonly PropertyKey[]) => Place,
): Layer[] {
  const layers: Layer[] = []
  let level = mappingOf(tree)
  const at: string[] = []
  for (const step of [null, ...path]) {
    if (step !== null) {
      level = mappingOf(level[step])
      at.push(step)
    }
    const here = [...at]
    const written = new Map<string, string>()
    const values: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(level)) {
      const bare = key.replace(/^\+/, '')
      const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
      if (!key.startsWith('+') && isMapping) continue
      values[bare] = value
      written.set(bare, key)
    }
    layers.push({ values, place: key => place([...here, written.get(key) ?? key]) })
  }
  return layers
}

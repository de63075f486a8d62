/** What the files of a project say that a run does not act on, for people. */
import type { Seed, Transform } from './project.ts'
import { mappingOf, type PropertiesFile } from './shapes.ts'

/** What other tools read. */
export function passedOver(properties: readonly PropertiesFile[]): string[] {
  return properties.flatMap(({ file, value }) =>
    (['metrics', 'semantic_models', 'saved_queries'] as const).flatMap(kind => {
      const count = value[kind]?.length ?? 0
      return count === 0
        ? []
        : [`${file}: ${count} ${kind.replace('_', ' ')}, which other tools read, are passed over.`]
    }),
  )
}

/** Who may read what is made is not the business of a run, and who counts on it must know. */
export function grantsNotGiven(nodes: readonly (Transform | Seed)[]): string[] {
  return nodes.flatMap(({ path, name, config, grantsPlace: at }) => {
    const asked = Object.keys(mappingOf(config['grants'])).map(key => key.replace(/^\+/, ''))
    return asked.length === 0
      ? []
      : [
          `${at?.file ?? path}:${at?.line ?? 1} "${name}" asks for grants (${asked.join(', ')}), which a run does not give: grant by a post_hook, or in a migration of the warehouse.`,
        ]
  })
}

/** What a run does around its transforms: files of rows before them, and the project's own statements at its start and its end. */
import { spellingOf } from './cells.ts'
import { type RollupOptions, withWarehouse } from './desk.ts'
import { namesOf } from '../project/compile.ts'
import { withInputs } from '../project/graph.ts'
import { nodeValue } from '../project/node-values.ts'
import type { Project, Seed, Transform } from '../project/project.ts'
import { runHooks } from './run-hooks.ts'
import { loadSeeds } from './seeds.ts'

/** Files of rows that a run loads: all, or those that are selected or read by what is. */
export function seedsOf(project: Project, { select }: Pick<RollupOptions, 'select'>): readonly Seed[] {
  const wanted = select && withInputs(project.transforms, select)
  return project.seeds.filter(({ name }) => wanted?.has(name) !== false)
}

export async function seedRun(
  project: Project,
  options: RollupOptions,
  refresh: 'full' | 'as needed',
): Promise<Readonly<Record<string, number>>> {
  const seeds = seedsOf(project, options)
  if (seeds.length === 0) return {}
  return withWarehouse(options, warehouse =>
    loadSeeds(seeds, { ...options, names: namesOf(project), warehouse, refresh }),
  )
}

/** What the project does at the start and at the end of a run; the end is told what was made. */
export async function aroundRun(
  project: Project,
  options: RollupOptions,
  which: 'before' | 'after',
  made: readonly (Seed | Transform)[],
): Promise<void> {
  const hooks = project.around[which]
  if (hooks.length === 0) return
  const names = namesOf(project)
  const results = made.map(one => ({ status: 'success', node: nodeValue(names, one), message: 'OK', failures: 0 }))
  const schemas = [...new Set(made.map(one => one.schema))]
  const words = { results, schemas, database_schemas: schemas.map(name => [names.surroundings.database ?? '', name]) }
  await withWarehouse(options, async warehouse => {
    const { name: quoted } = spellingOf(warehouse)
    for (const schema of schemas) await warehouse.query(`create schema if not exists ${quoted(schema)}`)
    await runHooks(hooks, { names, warehouse, self: null, words })
  })
}

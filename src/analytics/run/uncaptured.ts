/**
 * Transforms that read no captured source, and what stands on snapshots. Nobody says when what they read changes, so each run makes them as
 * dbt would: tables and views anew, each in one statement, incremental ones by their strategy, snapshots by what changed.
 */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import type { Rendered } from '../../sql/template.ts'
import type { Emit } from '../../telemetry/event.ts'
import { spellingOf } from './cells.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import type { CompileOptions } from '../project/names.ts'
import { holdContract, holdQuery } from '../check/contract.ts'
import { descendantsOf, withInputs } from '../project/graph.ts'
import { increase } from './increment.ts'
import { located } from './materialize.ts'
import { capturedSources, type Hook, type Project, sourceKey, type Transform } from '../project/project.ts'
import { runHooks } from './run-hooks.ts'
import { takeSnapshot } from './snapshot.ts'
import { countOf, makeWay, targetName } from './staging.ts'

export interface Uncaptured {
  /** What captured transforms read, which is made before them. */
  readonly before: readonly Transform[]
  readonly after: readonly Transform[]
}

/** Those of a project in the order of their dependencies, or the selected ones with what they read. */
export function uncapturedTransforms(project: Project, select?: ReadonlySet<string>): Uncaptured {
  const wanted = select && withInputs(project.transforms, select)
  const captured = new Set(
    capturedSources(project).flatMap(source =>
      descendantsOf(project.transforms, sourceKey(source)).map(({ name }) => name),
    ),
  )
  const read = withInputs(project.transforms, captured)
  const all = project.transforms.filter(({ name }) => !captured.has(name) && wanted?.has(name) !== false)
  return { before: all.filter(({ name }) => read.has(name)), after: all.filter(({ name }) => !read.has(name)) }
}

export interface BuildOptions {
  readonly emit: Emit
  readonly signal?: AbortSignal | undefined
  /** `full` makes incremental ones anew as well. */
  readonly refresh: 'full' | 'as needed'
}

/** Makes the tables and views, and answers the rows of each table. Throws TRANSFORM_INVALID; what came before stands. */
export async function buildUncaptured(
  project: Project,
  transforms: readonly Transform[],
  warehouse: Session,
  options: BuildOptions,
): Promise<Readonly<Record<string, number>>> {
  const names = namesOf(project)
  const tables: Record<string, number> = {}
  for (const transform of transforms) {
    options.signal?.throwIfAborted()
    const started = performance.now()
    const table = `${transform.schema}.${transform.table}`
    const rows = await build(transform, names, warehouse, options.refresh)
    if (rows === null) continue
    tables[table] = rows
    options.emit({
      type: 'rollup.replaced',
      table,
      rows,
      cells: 0,
      durationMs: Math.round(performance.now() - started),
    })
  }
  return tables
}

/** The number of rows; null for a view. Within one transaction, where the engine can, with the hooks that belong inside. */
async function build(
  transform: Transform,
  names: Names,
  warehouse: Session,
  refresh: BuildOptions['refresh'],
): Promise<number | null> {
  const { hooks, schema } = transform
  const run = (some: readonly Hook[], transaction: Hook['transaction']) =>
    runHooks(
      some.filter(hook => hook.transaction === transaction),
      { names, warehouse, self: transform, refresh },
    )
  await warehouse.query(`create schema if not exists ${spellingOf(warehouse).name(schema)}`)
  await run(hooks.before, 'outside')
  const work = async () => {
    await run(hooks.before, 'inside')
    await materialize(transform, names, warehouse, refresh)
    await run(hooks.after, 'inside')
  }
  if (warehouse.engine.can.transactionalDdl) await withTransaction(warehouse, work)
  else await work()
  await run(hooks.after, 'outside')
  return transform.materialized === 'view' ? null : countOf(warehouse, transform)
}

async function materialize(
  transform: Transform,
  names: Names,
  warehouse: Session,
  refresh: BuildOptions['refresh'],
): Promise<void> {
  const { schema, table, template, materialized, increment, snapshot } = transform
  const stands = (await spellingOf(warehouse).kind(warehouse, schema, table)) === 'table'
  const isFull = increment?.fullRefresh === 'always' || (refresh === 'full' && increment?.fullRefresh !== 'never')
  const adds = increment !== null && stands && !isFull
  const options: CompileOptions = {
    engine: warehouse.engine.name,
    quote: spellingOf(warehouse).name,
    session: warehouse,
    mode: adds ? 'increment' : 'whole',
    self: transform,
    refresh: isFull && increment !== null ? 'full' : 'as needed',
  }
  const rendered = await compile(template, names, options)
  // Before anything is dropped or replaced.
  await holdQuery(warehouse, transform, names)
  const kind = materialized === 'view' ? 'view' : 'table'
  await makeWay(warehouse, transform, kind)
  const made = async () => {
    if (snapshot) await takeSnapshot(warehouse, { ...transform, snapshot }, rendered.sql, stands ? 'again' : 'first')
    else if (adds) await increase(warehouse, { ...transform, increment }, rendered.sql)
    else if (transform.contract && kind === 'table') await replaceByContract(warehouse, transform, names, rendered)
    else
      await warehouse.query(
        `create or replace ${kind} ${targetName(warehouse, transform)} as select * from (\n${rendered.sql}\n) as result`,
      )
  }
  await located(transform, rendered, made)
}

/** A table with the types and constraints that are promised, which takes the place of the one that stands. */
async function replaceByContract(
  warehouse: Session,
  transform: Transform,
  names: Names,
  rendered: Rendered,
): Promise<void> {
  const { name: quoted } = spellingOf(warehouse)
  const next = { ...transform, table: `${transform.table}__plinth_next` }
  await warehouse.query(`drop table if exists ${targetName(warehouse, next)}`)
  await holdContract(warehouse, next, names)
  const columns = (transform.contract?.columns ?? []).map(column => quoted(column.name)).join(', ')
  await warehouse.query(
    `insert into ${targetName(warehouse, next)} (${columns}) select ${columns} from (\n${rendered.sql}\n) as result`,
  )
  await warehouse.query(`drop table if exists ${targetName(warehouse, transform)}`)
  await warehouse.query(`alter table ${targetName(warehouse, next)} rename to ${quoted(transform.table)}`)
}

/**
 * Transforms that read no captured source, and what stands on snapshots. Nobody says when what they read changes, so each run makes them as
 * dbt would: tables and views anew, each in one statement, incremental ones by their strategy, snapshots by what changed.
 */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Rendered } from '../../sql/template.ts'
import type { Emit } from '../../telemetry/event.ts'
import { spellingOf } from './cells.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import type { CompileOptions } from '../project/names.ts'
import { holdContract, holdQuery } from '../check/contract.ts'
import { descendantsOf, withInputs } from '../project/graph.ts'
import { isExternal, type Places, writeExternal } from './external.ts'
import { increase } from './increment.ts'
import { located } from './materialize.ts'
import { capturedSources, type Hook, type Project, sourceKey, type Transform } from '../project/project.ts'
import { persistDocs } from './persist-docs.ts'
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

/**
 * Makes the tables and views, and answers the rows of each table. What fails leaves what stood before, and so does what reads it; all others are
 * made before the failure is told. Throws TRANSFORM_INVALID and what else a statement can fail by.
 */
export async function buildUncaptured(
  project: Project,
  transforms: readonly Transform[],
  warehouse: Session,
  options: BuildOptions,
): Promise<Readonly<Record<string, number>>> {
  const making = { names: namesOf(project), warehouse, refresh: options.refresh, places: placesOf(project) }
  const tables: Record<string, number> = {}
  const failures: PlinthError[] = []
  const unmade = new Set<string>()
  for (const transform of transforms) {
    options.signal?.throwIfAborted()
    const started = performance.now()
    const table = `${transform.schema}.${transform.table}`
    const isStranded = transform.refs.some(ref => unmade.has(ref))
    const rows = isStranded
      ? 'unmade'
      : await build(transform, making).catch((error: unknown) => {
          if (!(error instanceof PlinthError) || !ofOneAlone.has(error.code)) throw error
          failures.push(error)
          return 'unmade' as const
        })
    if (rows === 'unmade') unmade.add(transform.name)
    if (rows === null || rows === 'unmade') continue
    tables[table] = rows
    options.emit({
      type: 'rollup.replaced',
      table,
      rows,
      cells: 0,
      durationMs: Math.round(performance.now() - started),
    })
  }
  if (failures[0]) throw withOthers(failures[0], failures.slice(1), unmade.size)
  return tables
}

/** Failures that say nothing of other transforms. */
const ofOneAlone: ReadonlySet<string> = new Set([
  'TRANSFORM_INVALID',
  'CONSTRAINT_VIOLATED',
  'SQL_FAILED',
  'SQL_SYNTAX',
])

/** The first failure as it is, with where the others are. */
function withOthers(first: PlinthError, others: readonly PlinthError[], unmade: number): PlinthError {
  if (unmade === 1) return first
  const places = others.map(({ at, message }) => `${at?.file ?? ''}:${at?.line ?? 1} ${message}`)
  const also = places.length === 0 ? '' : ` Others failed as well: ${places.slice(0, 5).join(' ')}`
  return new PlinthError(first.code, `${first.message} In all, ${unmade} were not made.${also}`, {
    at: first.at,
    hint: first.hint,
    details: {
      ...first.details,
      failed: [first, ...others].map(({ at, message }) => ({ message, ...at, source: undefined })),
      unmade,
    },
    cause: first,
  })
}

function placesOf({ folder, surroundings }: Project): Places {
  return { folder, root: surroundings.values?.['external_root'] ?? '.' }
}

/** What all transforms of a run are made with. */
interface Making {
  readonly names: Names
  readonly warehouse: Session
  readonly refresh: BuildOptions['refresh']
  readonly places: Places
}

/** The number of rows; null for a view. Within one transaction, where the engine can, with the hooks that belong inside. */
async function build(transform: Transform, making: Making): Promise<number | null> {
  const { names, warehouse, refresh } = making
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
    await materialize(transform, making)
    await run(hooks.after, 'inside')
    await persistDocs(warehouse, transform, transform.materialized === 'view' ? 'view' : 'table')
  }
  if (warehouse.engine.can.transactionalDdl) await withTransaction(warehouse, work)
  else await work()
  await run(hooks.after, 'outside')
  return transform.materialized === 'view' ? null : countOf(warehouse, transform)
}

async function materialize(transform: Transform, { names, warehouse, refresh, places }: Making): Promise<void> {
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
  const clause = spellingOf(warehouse).tableClause?.(transform.config).replaceAll('\n', ' ') ?? ''
  const made = async () => {
    if (snapshot) await takeSnapshot(warehouse, { ...transform, snapshot }, rendered.sql, stands ? 'again' : 'first')
    else if (isExternal(transform)) await writeExternal(warehouse, transform, rendered.sql, places)
    else if (adds) await increase(warehouse, { ...transform, increment }, rendered.sql)
    else if (transform.contract && kind === 'table') await replaceByContract(warehouse, transform, names, rendered)
    else
      await warehouse.query(
        `create or replace ${kind} ${targetName(warehouse, transform)} ${kind === 'table' ? clause : ''} as select * from (\n${rendered.sql}\n) as result`,
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

/**
 * Transforms that read no captured source. Nobody says when what they read changes, so each run makes them anew as a whole, each in one
 * statement, as dbt would with a full refresh.
 */
import type { Session } from '../../engines/engine.ts'
import type { Emit } from '../../telemetry/event.ts'
import { spellingOf } from './cells.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import { holdContract, holdQuery } from '../check/contract.ts'
import { descendantsOf, withInputs } from '../project/graph.ts'
import { located } from './materialize.ts'
import { capturedSources, type Project, sourceKey, type Transform } from '../project/project.ts'

/** Those of a project in the order of their dependencies, or the selected ones with what they read. */
export function uncapturedTransforms(project: Project, select?: ReadonlySet<string>): Transform[] {
  const wanted = select && withInputs(project.transforms, select)
  const captured = new Set(
    capturedSources(project).flatMap(source =>
      descendantsOf(project.transforms, sourceKey(source)).map(({ name }) => name),
    ),
  )
  return project.transforms.filter(({ name }) => !captured.has(name) && wanted?.has(name) !== false)
}

/** Makes the tables and views anew, and answers the rows of each table. Throws TRANSFORM_INVALID; what came before stands. */
export async function buildUncaptured(
  project: Project,
  transforms: readonly Transform[],
  warehouse: Session,
  options: { readonly emit: Emit; readonly signal?: AbortSignal | undefined },
): Promise<Readonly<Record<string, number>>> {
  const names = namesOf(project)
  const tables: Record<string, number> = {}
  for (const transform of transforms) {
    options.signal?.throwIfAborted()
    const started = performance.now()
    const table = `${transform.schema}.${transform.name}`
    const rows = await build(transform, names, warehouse)
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

/** The number of rows; null for a view. */
async function build(transform: Transform, names: Names, warehouse: Session): Promise<number | null> {
  const { name: quoted, relation } = spellingOf(warehouse)
  const { schema, name, template, materialized } = transform
  const options = { engine: warehouse.engine.name, quote: quoted, mode: 'whole', self: transform } as const
  const rendered = await compile(template, names, options)
  await warehouse.query(`create schema if not exists ${quoted(schema)}`)
  // Before anything is dropped or replaced.
  await holdQuery(warehouse, transform, names)
  const table = relation(schema, name)
  const kind = materialized === 'view' ? 'view' : 'table'
  if (transform.contract && kind === 'table') {
    const next = { ...transform, name: `${name}__plinth_next` }
    await warehouse.query(`drop table if exists ${relation(schema, next.name)}`)
    await holdContract(warehouse, next, names)
    const columns = transform.contract.columns.map(column => quoted(column.name)).join(', ')
    await located(transform, rendered, () =>
      warehouse.query(
        `insert into ${relation(schema, next.name)} (${columns}) select ${columns} from (\n${rendered.sql}\n) as result`,
      ),
    )
    await warehouse.query(`drop table if exists ${table}`)
    await warehouse.query(`alter table ${relation(schema, next.name)} rename to ${quoted(name)}`)
  } else {
    await located(transform, rendered, () =>
      warehouse.query(`create or replace ${kind} ${table} as select * from (\n${rendered.sql}\n) as result`),
    )
  }
  if (kind === 'view') return null
  const { rows } = await warehouse.query<{ row_count: string }>(`select count(*) as row_count from ${table}`)
  return Number(rows[0]?.row_count ?? 0)
}

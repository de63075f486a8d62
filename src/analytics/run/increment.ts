/** Incremental transforms without cells, as dbt runs them: what their query answers is added to, merged into or put in place of rows. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Increment, Transform } from '../project/project.ts'
import { spellingOf } from './cells.ts'
import { besides, targetName, withStaged } from './staging.ts'

export type Incremental = Transform & { readonly increment: Increment }

/** Adds what the query answers to the table that stands. Throws TRANSFORM_INVALID where its columns may not change and did. */
export async function increase(warehouse: Session, transform: Incremental, query: string): Promise<void> {
  await withStaged(warehouse, besides(transform, 'next'), query, async staged => {
    const columns = await alignColumns(warehouse, transform)
    const statements =
      transform.increment.strategy === 'insert_overwrite'
        ? [await overwriting(warehouse, transform, staged, columns)]
        : statementsOf(warehouse, transform, staged, columns)
    for (const statement of statements) await warehouse.query(statement)
  })
}

/** Brings the table's columns to those of the query, as far as it is told to, and answers those that are written. */
async function alignColumns(warehouse: Session, transform: Incremental): Promise<string[]> {
  const { name: quoted, columns } = spellingOf(warehouse)
  const next = besides(transform, 'next')
  const answered = await columns(warehouse, next.schema, next.table)
  const stored = await columns(warehouse, transform.schema, transform.table)
  const { onSchemaChange } = transform.increment
  if (onSchemaChange === 'ignore') return stored.map(({ name }) => name)
  const typeOf = (all: typeof stored, name: string) =>
    all.find(column => column.name.toLowerCase() === name.toLowerCase())?.type
  const added = answered.filter(({ name }) => typeOf(stored, name) === undefined)
  const gone = stored.filter(({ name }) => typeOf(answered, name) === undefined)
  const changed = answered.filter(({ name, type }) => (typeOf(stored, name) ?? type) !== type)
  if (onSchemaChange === 'fail' && added.length + gone.length + changed.length > 0)
    throw changedColumns(transform, { added, gone, changed })
  const table = targetName(warehouse, transform)
  for (const { name, type } of added) await warehouse.query(`alter table ${table} add column ${quoted(name)} ${type}`)
  if (onSchemaChange === 'sync_all_columns') {
    for (const { name } of gone) await warehouse.query(`alter table ${table} drop column ${quoted(name)}`)
    for (const { name, type } of changed)
      await warehouse.query(`alter table ${table} alter column ${quoted(name)} set data type ${type}`)
  }
  return answered.map(({ name }) => name)
}

interface Changes {
  readonly added: readonly { readonly name: string }[]
  readonly gone: readonly { readonly name: string }[]
  readonly changed: readonly { readonly name: string }[]
}

function changedColumns({ name, template }: Incremental, changes: Changes): PlinthError {
  const words = { added: 'new', gone: 'gone', changed: 'of another type' } as const
  const said = (['added', 'gone', 'changed'] as const).flatMap(kind =>
    changes[kind].map(column => `${column.name} (${words[kind]})`),
  )
  return new PlinthError('TRANSFORM_INVALID', `The columns of "${name}" changed: ${said.join(', ')}.`, {
    at: { file: template.file, line: 1, source: template.source },
    hint: 'Set on_schema_change to append_new_columns or sync_all_columns, or make it anew: plinth rollup run --rebase.',
  })
}

/** The names by which dbt's predicates call the two tables. */
const target = 'DBT_INTERNAL_DEST'
const source = 'DBT_INTERNAL_SOURCE'

function statementsOf(
  warehouse: Session,
  transform: Incremental,
  staged: string,
  columns: readonly string[],
): string[] {
  const { name: quoted } = spellingOf(warehouse)
  const { strategy, uniqueKey, predicates } = transform.increment
  const table = targetName(warehouse, transform)
  const list = columns.map(quoted).join(', ')
  const insert = `insert into ${table} (${list}) select ${list} from ${staged} as ${source}`
  if (strategy === 'append') return [insert]
  if (strategy === 'merge') return [merge(warehouse, transform, { table, staged, columns })]
  if (uniqueKey.length === 0) return [insert]
  const also = predicates.map(predicate => ` and (${predicate})`).join('')
  const [only = ''] = uniqueKey
  const isThere =
    uniqueKey.length === 1
      ? `(${only}) in (select (${only}) from ${staged} as ${source})`
      : `exists (select 1 from ${staged} as ${source} where ${matched(uniqueKey)})`
  return [`delete from ${table} as ${target} where ${isThere}${also}`, insert]
}

/** Whole partitions are replaced: those that are named, or those that the new rows lie in. */
async function overwriting(
  warehouse: Session,
  transform: Incremental,
  from: string,
  columns: readonly string[],
): Promise<string> {
  const { name: quoted, overwrite } = spellingOf(warehouse)
  const way = overwrite?.(transform.config)
  if (!way)
    throw new PlinthError(
      'ENGINE_UNSUPPORTED',
      `${warehouse.engine.name} has no partitions that "${transform.name}" could replace.`,
      {
        at: { file: transform.template.file, line: 1, source: transform.template.source },
        hint: 'Take another incremental_strategy, such as merge.',
      },
    )
  const { partitions } = transform.increment
  const common = { table: targetName(warehouse, transform), from, columns: columns.map(quoted) }
  if (partitions.length > 0) return way.statement({ ...common, values: partitions, kind: 'expressions' })
  const { rows } = await warehouse.query<{ partition_value: string }>(way.partitions(from))
  return way.statement({ ...common, values: rows.map(row => row.partition_value), kind: 'answered' })
}

function matched(keys: readonly string[]): string {
  return keys.map(key => `${source}.${key} = ${target}.${key}`).join(' and ')
}

interface Merging {
  readonly table: string
  readonly staged: string
  readonly columns: readonly string[]
}

function merge(warehouse: Session, { increment }: Incremental, { table, staged, columns }: Merging): string {
  const { name: quoted } = spellingOf(warehouse)
  const { uniqueKey, predicates, updated, kept } = increment
  const lower = (names: readonly string[]) => new Set(names.map(name => name.toLowerCase()))
  const isUpdated = (name: string) =>
    (updated === null || lower(updated).has(name.toLowerCase())) && !lower(kept).has(name.toLowerCase())
  const conditions = [uniqueKey.length === 0 ? 'false' : matched(uniqueKey), ...predicates]
  const sets = columns.filter(isUpdated).map(name => `${quoted(name)} = ${source}.${quoted(name)}`)
  const list = columns.map(quoted).join(', ')
  return [
    `merge into ${table} as ${target} using ${staged} as ${source}`,
    `on ${conditions.map(condition => `(${condition})`).join(' and ')}`,
    ...(uniqueKey.length > 0 && sets.length > 0 ? [`when matched then update set ${sets.join(', ')}`] : []),
    `when not matched then insert (${list}) values (${columns.map(name => `${source}.${quoted(name)}`).join(', ')})`,
  ].join('\n')
}

/** What columns a table, a view or a query has. */
import { PlinthError } from '../../errors.ts'
import type { Session } from '../engine.ts'

export interface ColumnType {
  readonly name: string
  readonly type: string
}

/** Columns of a table or view in their order, with their types; empty when there is none. */
export async function columnsOf(session: Session, schema: string, name: string): Promise<readonly ColumnType[]> {
  try {
    return await describe(session, `describe ${quoted(schema)}.${quoted(name)}`)
  } catch (error) {
    if (!(error instanceof PlinthError) || error.code !== 'SQL_FAILED') throw error
    const { rows: views } = await session.query(
      'select 1 as one from duckdb_views() where database_name = current_database() and schema_name = $1 and view_name = $2',
      [schema, name],
    )
    if (views.length === 0) return []
    // A view that lost what it reads. The catalog knows, but puts the columns of all tables and views together first, which takes several
    // times as long as a look at one.
    const { rows } = await session.query<ColumnType>(
      `select column_name as name, data_type as type
       from duckdb_columns()
       where database_name = current_database() and schema_name = $1 and table_name = $2
       order by column_index`,
      [schema, name],
    )
    return rows
  }
}

/** What stands under this name. */
export async function kindOf(session: Session, schema: string, name: string): Promise<'table' | 'view' | null> {
  const { rows } = await session.query<{ kind: string }>(
    `select 'view' as kind from duckdb_views() where database_name = current_database() and schema_name = $1 and lower(view_name) = lower($2)
     union all
     select 'table' from duckdb_tables() where database_name = current_database() and schema_name = $1 and lower(table_name) = lower($2)`,
    [schema, name],
  )
  return rows[0] ? (rows[0].kind === 'view' ? 'view' : 'table') : null
}

/** The columns that a query would answer, without running it. */
export function describeQuery(session: Session, query: string): Promise<readonly ColumnType[]> {
  return describe(session, `describe select * from (\n${query}\n) as result`)
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

async function describe(session: Session, statement: string): Promise<readonly ColumnType[]> {
  const { rows } = await session.query<{ column_name: string; column_type: string }>(statement)
  return rows.map(row => ({ name: row.column_name, type: row.column_type }))
}

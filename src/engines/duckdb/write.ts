/** What a warehouse needs beyond plain SQL: loading rows in bulk. Callers open the transaction. */
import { PlinthError } from '../../errors.ts'
import type { Session } from '../engine.ts'
import { type DuckDbSession, quoteLiteral } from './session.ts'

export interface Load {
  /** Qualified name of an existing table, which may be a temporary one. */
  readonly table: string
  /** Columns of the CSV in order, with the DuckDB type that each is read as, such as `TIMESTAMPTZ` or `DECIMAL(18,6)`. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** CSV without a header, as PostgreSQL's `copy … to stdout (format csv)` writes it: NULL is empty, an empty string is `""`. */
  readonly source: AsyncIterable<Uint8Array | string>
}

/** Appends the rows of a CSV stream to a table, and answers their number. A row that does not fit its types fails the load. */
export async function loadCsv(session: Session, load: Load): Promise<number> {
  return bulk(session).withBulkFile(load.source, async path => {
    const names = load.columns.map(column => quoteName(column.name)).join(', ')
    const types = load.columns.map(column => `${quoteLiteral(column.name)}: ${quoteLiteral(column.type)}`).join(', ')
    const { rowCount } = await session.query(
      `insert into ${quotePath(load.table)} (${names})
       select ${names}
       from read_csv(${quoteLiteral(path)}, columns = {${types}}, header = false, delim = ',', quote = '"', escape = '"',
                     nullstr = '', allow_quoted_nulls = false, auto_detect = false)`,
    )
    return rowCount
  })
}

function bulk(session: Session): DuckDbSession {
  if ('withBulkFile' in session) return session as DuckDbSession
  throw new PlinthError('ENGINE_UNSUPPORTED', `A ${session.engine.name} session cannot load rows in this way.`, {
    hint: 'Name a duckdb: URL as the warehouse.',
  })
}

function quotePath(path: string): string {
  return path.split('.').map(quoteName).join('.')
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** What a warehouse needs beyond plain SQL: loading rows in bulk. Callers open the transaction. */
import { PlinthError } from '../../errors.ts'
import type { Block, BlockType, Texts } from '../block.ts'
import type { Session } from '../engine.ts'
import { type Foreseen, readType, storedType } from './blocks.ts'
import { columnsOf, quoted as quoteName } from './columns.ts'
import { type DuckDbSession, quoteLiteral, type TableName } from './session.ts'

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

export interface BlockColumnName {
  readonly name: string
  readonly type: BlockType
}

/** Appends rows to a table by the names of their columns, and answers their number. */
export async function loadBlocks(
  session: Session,
  table: TableName,
  columns: readonly BlockColumnName[],
  blocks: AsyncIterable<Block>,
): Promise<number> {
  const duckdb = bulk(session)
  const stored = await columnsOf(session, table.schema, table.name)
  const order = stored.map(({ name, type }) =>
    columns.findIndex(column => column.name === name && storedType(column.type) === normalized(type)),
  )
  const types = columns.map(column => column.type)
  if (order.length === columns.length && !order.includes(-1)) {
    const ordered = order.map(index => types[index] as BlockType)
    return duckdb.appendBlocks(table, ordered, inOrder(blocks, order))
  }
  // A table with columns of its own, or of other types, is filled through one that has just these.
  const passage = { schema: 'main', name: 'plinth_passage' }
  const list = columns.map(({ name, type }) => `${quoteName(name)} ${storedType(type)}`).join(', ')
  await session.query(`create or replace temp table ${passage.name} (${list})`)
  await duckdb.appendBlocks({ ...passage, catalog: 'temp' }, types, blocks)
  const names = columns.map(column => quoteName(column.name)).join(', ')
  const { rowCount } = await session.query(
    `insert into ${quoteName(table.schema)}.${quoteName(table.name)} (${names}) select ${names} from temp.main.${passage.name}`,
  )
  await session.query(`drop table temp.main.${passage.name}`)
  return rowCount
}

/**
 * The named columns of what stands behind `from`, such as a table with an alias and a condition. The block is filled anew each time. Texts
 * that are expected in a column are known again by their hash, which spares handing them over; any other text then has no bytes and is
 * unlike all of them.
 */
export async function* readColumns(
  session: Session,
  columns: readonly BlockColumnName[],
  from: string,
  expected: readonly (Texts | null)[] = [],
): AsyncGenerator<Block, void> {
  const foreseen: (Foreseen | null)[] = []
  for (const index of columns.keys()) foreseen.push(await foresee(session, expected[index] ?? null))
  const list = columns.map(({ name, type }, index) =>
    foreseen[index] ? `hash(cast(${quoteName(name)} as varchar))` : `cast(${quoteName(name)} as ${readType(type)})`,
  )
  const types = columns.map(column => column.type)
  // The hash of no text is a number, as any other is.
  const nulls = columns.map(({ name }, index) =>
    foreseen[index] ? `if(${quoteName(name)} is null, null, ${list[index]})` : list[index],
  )
  yield* bulk(session).readBlocks(`select ${nulls.join(', ')} from ${from}`, types, foreseen)
}

/** Asks DuckDB for its hashes of the texts. Null where two of them have the same one. */
async function foresee(session: Session, texts: Texts | null): Promise<Foreseen | null> {
  if (!texts) return null
  const decoder = new TextDecoder()
  const { rows } = await session.query<{ hash: string }>('select hash(unnest(cast($1 as varchar[]))) as hash', [
    texts.bytes.map(bytes => decoder.decode(bytes)),
  ])
  const numbers = new Map(rows.map(({ hash }, number) => [BigInt(hash), number]))
  return numbers.size === texts.bytes.length ? { texts, numbers } : null
}

/** The same block with its columns in another order; the arrays are the same. */
async function* inOrder(blocks: AsyncIterable<Block>, order: readonly number[]): AsyncGenerator<Block, void> {
  for await (const block of blocks)
    yield { rows: block.rows, columns: order.map(index => block.columns[index] as Block['columns'][number]) }
}

/** As DuckDB's catalog writes types. */
function normalized(type: string): string {
  const lower = type.toLowerCase().replace(/\s*,\s*/g, ', ')
  return lower === 'timestamp with time zone' ? 'timestamptz' : lower
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

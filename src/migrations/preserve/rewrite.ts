/**
 * Fills a column by writing the table anew, which is two to three times as fast as updating every row: the copy was made in the order of the
 * table, so a cursor walks beside the scan. Where rows were written in between, the cursor is put right, or the copy's index is asked.
 */
import { randomBytes } from 'node:crypto'
import type { Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import type { Shape, ShapeColumn } from './shape.ts'
import { archiveSchema } from './store.ts'
import { columnList, ident, literal } from './text.ts'

export interface Rewrite {
  readonly copy: string
  readonly shape: Shape
  readonly key: readonly string[]
  readonly columns: readonly ShapeColumn[]
}

/** False where it is not worth it, or something that hangs on the column forbids it; nothing is changed then. */
export async function rewriteColumns(session: Session, rewrite: Rewrite): Promise<boolean> {
  const { shape, key, columns } = rewrite
  const foreign = shape.columns.some(column => key.includes(column.name) && column.kept !== column.type)
  if (shape.kind !== 'r' || foreign || shape.bytes < worthIt || (await isDivided(session, shape))) return false
  await session.query('savepoint plinth_rewrite')
  try {
    await session.script(`create unique index on ${rewrite.copy} (${columnList(key)}); analyze ${rewrite.copy}`)
    const walkers = columns.map(column => ({ column, name: randomBytes(4).toString('hex') }))
    for (const { column, name } of walkers) await session.script(walkerOf(rewrite, column, name))
    const alterations = walkers.map(
      ({ column, name }) =>
        `alter column ${ident(column.name)} type ${column.type}${collation(column)} using ${archiveSchema}.${ident(`walk_${name}`)}(${columnList([...key, column.name])})`,
    )
    await session.script(`alter table ${shape.name} ${alterations.join(', ')}`)
    for (const { name } of walkers)
      await session.script(`close ${ident(`walk_${name}`)}; drop function ${archiveSchema}.${ident(`walk_${name}`)}`)
    await session.query('release savepoint plinth_rewrite')
    return true
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (error.sqlState === undefined || /^(08|57)/.test(error.sqlState)) throw error
    await session.query('rollback to savepoint plinth_rewrite')
    return false
  }
}

/** Below that, an update is over before the index of the copy is built. */
const worthIt = 4 * 1024 * 1024

/** Without it the collation of the restored column would decide, and the index would not serve. */
function collated({ columns }: Shape, name: string): string {
  const column = columns.find(one => one.name === name)
  return column && /^(text|character)/.test(column.type) ? ` collate ${column.collation ?? 'pg_catalog."default"'}` : ''
}

/** How far the cursor goes to catch up; further away, asking the index is cheaper. */
const blocksAhead = 200

/** An altered column would be altered in the partitions and heirs, too, whose order is another. */
async function isDivided(session: Session, shape: Shape): Promise<boolean> {
  const { rows } = await session.query(
    'select from pg_catalog.pg_inherits where inhparent = $1::oid or inhrelid = $1::oid',
    [shape.oid],
  )
  return rows.length > 0
}

function collation(column: ShapeColumn): string {
  return column.collation === null ? '' : ` collate ${column.collation}`
}

/**
 * Answers the archived value of a key, or the value that is there where the copy has none. Where the next row of the copy is another one, the
 * index is asked: a row a little ahead means that rows were deleted in between, so the cursor goes there; else it waits where it was.
 */
function walkerOf({ copy, shape, key }: Rewrite, column: ShapeColumn, name: string): string {
  const types = new Map(shape.columns.map(one => [one.name, one.type]))
  const value = `c.${ident(column.name)}::${column.type}`
  const found = key.map((_, at) => `k${at} = $${at + 1}`).join(' and ')
  const names = key.map((_, at) => `k${at}`).join(', ')
  const declared = key.map((part, at) => `  k${at} ${types.get(part) ?? 'text'};`).join('\n')
  const keys = key.map((part, at) => `c.${ident(part)} as k${at}`).join(', ')
  const lookup = key.map((part, at) => `c.${ident(part)} = $${at + 1}${collated(shape, part)}`).join(' and ')
  const body = `
declare
  walk refcursor := ${literal(`walk_${name}`)};
${declared}
  v ${column.type};
  v_skipped ${column.type};
  here tid;
  there tid;
  stepped boolean;
begin
  fetch walk into ${names}, v, here;
  stepped := found;
  if stepped and ${found} then
    return v;
  end if;
  select ${value}, c.ctid into v, there from ${copy} c where ${lookup};
  if stepped and there > here and (there::text::point)[0] - (here::text::point)[0] <= ${blocksAhead} then
    while here < there loop
      fetch walk into ${names}, v_skipped, here;
      exit when not found;
    end loop;
  elsif stepped then
    move backward 1 from walk;
  end if;
  if there is null then
    return $${key.length + 1};
  end if;
  return v;
end`
  return [
    `create function ${archiveSchema}.${ident(`walk_${name}`)}(${[...key.map(part => types.get(part) ?? 'text'), column.type].join(', ')}) returns ${column.type} language plpgsql volatile as ${literal(body)}`,
    `declare ${ident(`walk_${name}`)} scroll cursor for select ${keys}, ${value} as v, c.ctid as place from ${copy} c`,
  ].join(';\n')
}

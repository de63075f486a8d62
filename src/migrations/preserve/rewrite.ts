/**
 * Fills a column by writing the table anew, which is two to three times as fast as updating every row: the copy was made in the order of the
 * table, so a cursor walks beside the scan. Where rows were written in between, the cursor is put right, or the copy's index is asked, which
 * is made when it is needed first.
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
  const foreign = shape.columns.some(
    column => key.includes(column.name) && (column.generated || column.kept !== column.type),
  )
  if (shape.kind !== 'r' || foreign || shape.bytes < worthIt || (await isDivided(session, shape))) return false
  await session.query('savepoint plinth_rewrite')
  try {
    await session.script(
      `select set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')) / 1024, ${sortKibibytes})::text || 'kB', true)`,
    )
    const index = `look_${randomBytes(4).toString('hex')}`
    // An index cannot be made beside the cursor of another column.
    if (columns.length > 1) await session.script(indexOf(rewrite, index))
    const walkers = columns.map(column => ({ column, name: randomBytes(4).toString('hex') }))
    for (const { column, name } of walkers) await session.script(walkerOf(rewrite, column, { name, index }))
    const alterations = walkers.map(
      ({ column, name }) =>
        `alter column ${ident(column.name)} type ${column.type}${collation(column)} using ${archiveSchema}.${ident(`walk_${name}`)}(${columnList([...key, column.name])}, ${literal(`walk_${name}`)})`,
    )
    await session.script(`alter table ${shape.name} ${alterations.join(', ')}`)
    for (const { name } of walkers)
      await session.script(
        `close ${ident(`walk_${name}`)}; drop function ${archiveSchema}.${ident(`walk_${name}`)}, ${archiveSchema}.${ident(`miss_${name}`)}`,
      )
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

/** The indexes of the table are built anew, too. */
const sortKibibytes = 256 * 1024

function indexOf({ copy, key }: Rewrite, index: string): string {
  return `create unique index ${ident(index)} on ${copy} (${columnList(key)})`
}

/**
 * Answers the archived value of a key, or the value that is there where the copy has none. Where the next row of the copy is another one, the
 * index is asked: a row a little ahead means that rows were deleted in between, so the cursor goes there; else it waits where it was.
 */
function walkerOf(
  rewrite: Rewrite,
  column: ShapeColumn,
  { name, index }: { readonly name: string; readonly index: string },
): string {
  const { copy, shape, key } = rewrite
  const types = new Map(shape.columns.map(one => [one.name, one.type]))
  const keyTypes = key.map(part => types.get(part) ?? 'text')
  const value = `c.${ident(column.name)}::${column.type}`
  const given = key.map((_, at) => `$${at + 1}`)
  const next = key.map((_, at) => `k${at}`).join(', ')
  const lookup = (from: number) =>
    key.map((part, at) => `c.${ident(part)} = $${at + from}${collated(shape, part)}`).join(' and ')
  const values = `select ${columnList(key, 'c.')}, ${value}`
  // Going on is all that the cursor can do at first, which is a fifth faster. Another column's cursor would be in the way of opening it anew.
  const first =
    rewrite.columns.length > 1
      ? `scroll cursor for ${values}, c.ctid from ${copy} c`
      : `no scroll cursor for ${values} from ${copy} c`
  const old = `$${key.length + 1}`
  const cursor = `$${key.length + 2}`
  const walk = ident(`walk_${name}`)
  const miss = `${archiveSchema}.${ident(`miss_${name}`)}`
  const declared = ['declare', ...keyTypes.map((type, at) => `  k${at} ${type};`), `  v ${column.type};`].join('\n')
  // It runs for each row, so it has no variable too many: the cursor is an argument, and where it stands is asked only when a row is missed.
  const step = `${declared}
begin
  fetch ${cursor} into ${next}, v;
  if ${key.map((_, at) => `k${at} = $${at + 1}`).join(' and ')} then
    return v;
  end if;
  return ${miss}(${[...given, old, next].join(', ')});
end`
  const missed = `${declared}
  walk refcursor := ${literal(`walk_${name}`)};
  here tid;
  there tid;
  skipped ${column.type};
begin
  if to_regclass(${literal(`${archiveSchema}.${ident(index)}`)}) is null then
    close walk;
    ${indexOf(rewrite, index)};
    select c.ctid into here from ${copy} c where ${lookup(key.length + 2)};
    open walk scroll for execute ${literal(`${values}, c.ctid from ${copy} c where c.ctid >= `)} || quote_literal(coalesce(here, '(4294967294,1)')) || '::tid';
    fetch walk into ${next}, skipped, there;
  else
    fetch relative 0 from walk into ${next}, skipped, here;
  end if;
  select ${value}, c.ctid into v, there from ${copy} c where ${lookup(1)};
  if there > here and (there::text::point)[0] - (here::text::point)[0] <= ${blocksAhead} then
    while here < there loop
      fetch walk into ${next}, skipped, here;
      exit when not found;
    end loop;
  elsif here is not null then
    move backward 1 from walk;
  end if;
  if there is null then
    return ${old};
  end if;
  return v;
end`
  const takes = [...keyTypes, column.type].join(', ')
  const made = (routine: string, list: string, body: string) =>
    `create function ${routine}(${list}) returns ${column.type} language plpgsql volatile as ${literal(body)}`
  return [
    made(miss, [takes, ...keyTypes].join(', '), missed),
    made(`${archiveSchema}.${walk}`, `${takes}, refcursor`, step),
    `declare ${walk} ${first}`,
  ].join(';\n')
}

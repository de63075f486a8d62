/** Transforms in the warehouse: replacing the rows of changed cells, building anew, and comparing what is stored with what they answer. */
import { createHash } from 'node:crypto'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Rendered } from '../../sql/template.ts'
import { changedCells, inCells, listCells, type ListedBatch, spellingOf } from './cells.ts'
import { compile, type Names } from '../project/compile.ts'
import { type Difference, kindOf } from '../prove/digest.ts'
import { persistDocs } from './persist-docs.ts'
import type { Batch } from './plan.ts'
import { noMoment, type Transform, type TransformCell } from '../project/project.ts'

/** A transform whose rows are replaced cell by cell. */
export type CellTransform = Transform & { readonly cell: TransformCell }

export function hasCells(transform: Transform): transform is CellTransform {
  return transform.cell !== null
}

/** Tells whether the rows that stand were made by the same SQL. */
export async function fingerprintOf(transform: Transform, names: Names, session: Session): Promise<string> {
  const lasting = { ...names, surroundings: { ...names.surroundings, moment: noMoment } }
  const { sql } = await compileWhole(session, transform, lasting)
  const hash = createHash('sha256').update(`${transform.materialized}\n${sql}`)
  // Rows of a file are made anew with the transforms that read them.
  for (const name of transform.refs) hash.update(names.transforms.get(name)?.digest ?? '')
  return hash.digest('hex').slice(0, 32)
}

/** Makes schema and table where migrations have not, and checks that the transform answers the table's columns. */
export async function prepareTable(session: Session, transform: Transform, names: Names): Promise<void> {
  const rendered = await compileWhole(session, transform, names)
  const answered = await describeQuery(session, transform, rendered)
  const table = tableOf(session, transform)
  const stored = await tableColumns(session, transform)
  if (transform.materialized === 'view') {
    // Others may refer to it before it is made anew.
    if (stored.length === 0) await rebuild(session, transform, names, async () => [])
    return
  }
  if (stored.length === 0) {
    await session.query(`create schema if not exists ${spellingOf(session).name(transform.schema)}`)
    await located(transform, rendered, () =>
      session.query(`create table ${table} as select * from (\n${rendered.sql}\n) as result limit 0`),
    )
    await persistDocs(session, transform, 'table')
    return
  }
  const known = new Set(answered)
  const missing = stored.filter(column => !known.has(column.name)).map(column => column.name)
  const unknown = answered.filter(name => !stored.some(column => column.name === name))
  const [complaint] = [
    ...missing.map(name => `answers no column "${name}", which ${transform.schema}.${transform.table} has`),
    ...unknown.map(name => `answers a column "${name}", which ${transform.schema}.${transform.table} does not have`),
  ]
  if (complaint === undefined) return persistDocs(session, transform, 'table')
  throw new PlinthError('TRANSFORM_INVALID', `The transform "${transform.name}" ${complaint}.`, {
    at: { file: transform.template.file, line: 1, source: transform.template.source },
    hint: 'Make the query and the migration of the table agree.',
  })
}

/** Adds the rows that the transform answers in the batch's cells, and answers their number. */
export async function insertCells(
  session: Session,
  transform: CellTransform,
  names: Names,
  batch: ListedBatch,
): Promise<number> {
  const rendered = await compileBatch(session, transform, names, batch)
  const columns = await columnList(session, transform)
  // The condition outside keeps a transform right that forgot its own: it would only be slow.
  const { rowCount } = await located(transform, rendered, () =>
    session.query(
      `insert into ${tableOf(session, transform)} (${columns}) select ${columns} from (\n${rendered.sql}\n) as result where ${inCells('result', transform.cell, batch)}`,
    ),
  )
  return rowCount
}

/**
 * Makes the whole table or view anew, and answers its rows. What is kept by cells is made one stretch of time after another, so that what
 * is held in memory does not grow with history; the stretches begin and end with days and together hold all time.
 */
export async function rebuild(
  session: Session,
  transform: Transform,
  names: Names,
  stretches: () => Promise<readonly Batch[]>,
): Promise<number> {
  const rendered = await compileWhole(session, transform, names)
  if (transform.materialized === 'view') {
    await session.query(`create schema if not exists ${spellingOf(session).name(transform.schema)}`)
    await located(transform, rendered, () =>
      session.query(
        `create or replace view ${tableOf(session, transform)} as select * from (\n${rendered.sql}\n) as result`,
      ),
    )
    // Where a view stands only when its transaction is over, that is done then.
    if (!spellingOf(session).deferred) await persistDocs(session, transform, 'view')
    return 0
  }
  await session.query(`delete from ${tableOf(session, transform)} where true`)
  if (hasCells(transform)) {
    const whole = { from: null, until: null, hours: [], whole: 'yes', rows: 0, cells: 0 } as const
    // A transform that does not look at what changed would compute everything for each stretch.
    const looks = (await compileCells(session, transform, names, await listCells(session, whole))).sql !== rendered.sql
    let rows = 0
    for (const stretch of looks ? await stretches() : [whole])
      rows += await insertCells(session, transform, names, await listCells(session, stretch))
    return rows
  }
  const columns = await columnList(session, transform)
  const { rowCount } = await located(transform, rendered, () =>
    session.query(
      `insert into ${tableOf(session, transform)} (${columns}) select ${columns} from (\n${rendered.sql}\n) as result`,
    ),
  )
  return rowCount
}

/** Which shards are compared: all, or every `of`th of them from `shard` on. */
export type Sample = 'all' | { readonly of: number; readonly shard: number }

/** Where the stored rows of the batch's cells are not what the transform answers from its inputs as they are now. */
export async function compareCells(
  session: Session,
  transform: CellTransform,
  names: Names,
  batch: ListedBatch,
  sample: Sample = 'all',
): Promise<Difference[]> {
  const { rendered, digests } = await digestsQuery(session, transform, names, batch, sample)
  return located(transform, rendered, () => readDifferences(session, transform, digests))
}

/** Runs `differingCells` over digests, and answers what is found by time and shard. */
export async function readDifferences(
  session: Session,
  { schema, name }: CellTransform,
  digests: string,
): Promise<Difference[]> {
  const { rows } = await session.query<{ bucket: string; shard: number | string; expected: string; found: string }>(
    `${digests}\n${differingCells}\norder by bucket, shard`,
  )
  return rows.map(row => ({
    table: `${schema}.${name}`,
    bucket: row.bucket,
    shard: Number(row.shard),
    kind: kindOf(Number(row.expected), Number(row.found)),
    expectedRows: Number(row.expected),
    foundRows: Number(row.found),
  }))
}

/** Of the relations `answered` and `stored`, which hold `bucket`, `shard`, `row_count` and `row_hash`, the cells in which they are not alike. */
const differingCells = `select bucket, shard, coalesce(answered.row_count, 0) as expected, coalesce(stored.row_count, 0) as found
from answered
full outer join stored using (bucket, shard)
where answered.row_count is distinct from stored.row_count or answered.row_hash is distinct from stored.row_hash`

/** Answers `bucket`, `shard`, `expected` and `found` for each of the batch's cells whose rows are not as the transform has them. */
export async function differencesQuery(
  session: Session,
  transform: CellTransform,
  names: Names,
  batch: ListedBatch,
  sample: Sample,
): Promise<{ readonly rendered: Rendered; readonly text: string }> {
  const { rendered, digests } = await digestsQuery(session, transform, names, batch, sample)
  return { rendered, text: `${digests}\n${differingCells}` }
}

async function digestsQuery(
  session: Session,
  transform: CellTransform,
  names: Names,
  batch: ListedBatch,
  sample: Sample,
): Promise<{ readonly rendered: Rendered; readonly digests: string }> {
  const { cell } = transform
  const { name: quoted, fingerprint, asStored } = spellingOf(session)
  const sampled = (alias: string) =>
    sample === 'all' ? '' : ` and mod(abs(${alias}.${quoted(cell.shard)}), ${sample.of}) = ${sample.shard}`
  const rendered = await compileCells(session, transform, names, batch)
  const columns = await tableColumns(session, transform)
  const hashed = (value: (column: { readonly name: string; readonly type: string }) => string) =>
    `count(*) as row_count, ${fingerprint(columns.map(value))} as row_hash`
  const key = (alias: string) => `${alias}.${quoted(cell.bucket)} as bucket, ${alias}.${quoted(cell.shard)} as shard`
  // Rows are answered with the types of the table, as an insert would store them.
  const digests = `with answered as (select ${key('result')}, ${hashed(({ name, type }) => asStored(`result.${quoted(name)}`, type))} from (\n${rendered.sql}
  ) as result
  where ${inCells('result', cell, batch)}${sampled('result')}
  group by 1, 2),
stored as (select ${key('stored')}, ${hashed(({ name }) => `stored.${quoted(name)}`)}
  from ${tableOf(session, transform)} as stored
  where ${inCells('stored', cell, batch)}${sampled('stored')}
  group by 1, 2)`
  return { rendered, digests }
}

/**
 * Runs a statement whose text has the rendered SQL from its second line on, and gives what the warehouse refuses in it the file and
 * line that it was written in.
 */
export async function located<T>(
  subject: { readonly template: Transform['template'] },
  rendered: Rendered,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof PlinthError) || !placed.has(error.code)) throw error
    const lines = rendered.sql.split('\n').length
    const line = error.at?.line === undefined ? 1 : error.at.line - 1
    const { file, source } = subject.template
    const at = line >= 1 && line <= lines ? rendered.place(line) : { file, line: 1, source }
    throw new PlinthError(error.code === 'CONSTRAINT_VIOLATED' ? error.code : 'TRANSFORM_INVALID', error.message, {
      at,
      hint: error.hint,
      cause: error,
    })
  }
}

const placed: ReadonlySet<string> = new Set(['SQL_SYNTAX', 'SQL_FAILED', 'CONSTRAINT_VIOLATED'])

export function tableOf(session: Session, { schema, table }: Transform): string {
  return spellingOf(session).relation(schema, table)
}

async function columnList(session: Session, transform: Transform): Promise<string> {
  const quoted = spellingOf(session).name
  return (await tableColumns(session, transform)).map(({ name }) => quoted(name)).join(', ')
}

function compileWhole(session: Session, transform: Transform, names: Names): Promise<Rendered> {
  const { name: engine, warehouse } = session.engine
  return compile(transform.template, names, { engine, quote: warehouse?.name, session, mode: 'whole', self: transform })
}

/** Everything of all time is asked for without conditions, which every row would be held against. */
export function compileBatch(
  session: Session,
  transform: Transform,
  names: Names,
  batch: ListedBatch,
): Promise<Rendered> {
  const everything = batch.whole === 'yes' && batch.from === null && batch.until === null
  return everything ? compileWhole(session, transform, names) : compileCells(session, transform, names, batch)
}

function compileCells(session: Session, transform: Transform, names: Names, batch: ListedBatch): Promise<Rendered> {
  return compile(transform.template, names, {
    engine: session.engine.name,
    quote: session.engine.warehouse?.name,
    session,
    mode: 'cells',
    changedCells: changedCells(batch),
    self: transform,
  })
}

async function describeQuery(session: Session, transform: Transform, rendered: Rendered): Promise<string[]> {
  return [...(await located(transform, rendered, () => spellingOf(session).describe(session, rendered.sql)))]
}

export function tableColumns(session: Session, { schema, table }: Transform) {
  return spellingOf(session).columns(session, schema, table)
}

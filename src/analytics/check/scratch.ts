/** Tables of a database in memory with the types that sources declare and transforms answer, and rows of unit tests in them. */
import { readFile } from 'node:fs/promises'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { compile, namesOf } from '../project/compile.ts'
import type { Given, GivenRows, Project, Transform } from '../project/project.ts'
import { sourceKey } from '../project/project.ts'
import { textOf } from '../project/shapes.ts'
import { seedRows } from '../run/seed-rows.ts'

export interface ScratchColumn {
  readonly name: string
  readonly type: string
}

/** What is known of an input's columns. `strict` is `no` where there may be more of them. */
export interface KnownColumns {
  readonly columns: readonly ScratchColumn[]
  readonly strict: 'yes' | 'no'
}

export interface Types {
  /** Columns of an input of a transform. */
  of(input: Given['input'], transform: string): KnownColumns
}

/**
 * Columns of every source and transform, as far as they follow from the types of the sources' columns: each transform is made once over
 * tables without rows. What is not known is taken from the rows that are given.
 */
export async function scratchTypes(scratch: Session, project: Project): Promise<Types> {
  const known = new Map<string, KnownColumns>()
  const names = namesOf(project)
  const schemas = new Set([...project.sources, ...project.seeds, ...project.transforms].map(({ schema }) => schema))
  for (const schema of schemas) await scratch.query(`create schema if not exists ${quoted(schema)}`)
  for (const source of project.sources) {
    const columns = [...source.columns, ...(source.capture ? cellColumns : [])].filter(({ type }) => type !== '')
    const isWhole = source.capture !== null || (columns.length > 0 && columns.length === source.columns.length)
    known.set(`source ${sourceKey(source)}`, { columns, strict: source.capture ? 'yes' : 'no' })
    if (isWhole)
      await attempt(scratch, `create table ${tableOf(source.schema, source.identifier)} (${listed(columns)})`)
  }
  for (const seed of project.seeds) {
    const { columns } = seedRows(await readFile(seed.file, 'utf8'), seed, seed.path)
    known.set(`ref ${seed.name}`, { columns, strict: 'yes' })
    if (columns.length > 0)
      await attempt(scratch, `create table ${tableOf(seed.schema, seed.table)} (${listed(columns)})`)
  }
  const describe = async ({ name, table: own, columns, schema, template }: Transform, made: 'table' | 'query') => {
    const self = { schema, name }
    const compiled = await compile(template, names, { engine: 'duckdb', mode: 'whole', self, session: scratch })
    const table = made === 'table' ? tableOf(schema, own) : tableOf('temp', `plinth_${name}`)
    const isMade = await attempt(
      scratch,
      `create ${made === 'table' ? '' : 'temp '}table ${made === 'table' ? table : quoted(`plinth_${name}`)} as select * from (\n${compiled.sql}\n) as result limit 0`,
    )
    const answered = isMade ? await describedColumns(scratch, table) : columns.filter(({ type }) => type !== '')
    known.set(`ref ${name}`, { columns: answered, strict: isMade ? 'yes' : 'no' })
  }
  for (const transform of project.transforms) await describe(transform, 'table')
  for (const transform of project.ephemerals) await describe(transform, 'query')
  const nothing: KnownColumns = { columns: [], strict: 'no' }
  return {
    of: ({ kind, name }, transform) => known.get(kind === 'this' ? `ref ${transform}` : `${kind} ${name}`) ?? nothing,
  }
}

/** What capture adds to the columns of a source. */
const cellColumns: readonly ScratchColumn[] = [
  { name: 'bucket_hour', type: 'timestamptz' },
  { name: 'shard', type: 'smallint' },
]

/** Makes a table of these rows. Throws TRANSFORM_INVALID for a column or a value that does not fit. */
export async function fillTable(
  scratch: Session,
  schema: string,
  table: string,
  rows: GivenRows,
  known: KnownColumns,
): Promise<void> {
  const target = tableOf(schema, table)
  await placed(rows, async () => {
    if (rows.kind === 'query') {
      const wanted = known.strict === 'yes' && known.columns.length > 0
      await scratch.query(
        wanted ? `create table ${target} (${listed(known.columns)})` : `create table ${target} as ${rows.query}`,
      )
      if (wanted) await scratch.query(`insert into ${target} by name ${rows.query}`)
      return
    }
    const columns = columnsOf(rows.rows, known, rows)
    await scratch.query(`create table ${target} (${listed(columns)})`)
    if (rows.rows.length === 0) return
    const values = rows.rows.map(
      row => `(${columns.map(({ name, type }) => `cast(${literal(valueOf(row, name))} as ${type})`).join(', ')})`,
    )
    await scratch.query(`insert into ${target} values ${values.join(', ')}`)
  })
}

/** Known columns, and those that only the rows name, with the type of their values. */
function columnsOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  known: KnownColumns,
  { place }: GivenRows,
): ScratchColumn[] {
  const columns = [...known.columns]
  for (const name of new Set(rows.flatMap(row => Object.keys(row)))) {
    if (columns.some(column => column.name.toLowerCase() === name.toLowerCase())) continue
    if (known.strict === 'yes') {
      throw new PlinthError('TRANSFORM_INVALID', `These rows name a column "${name}", which there is not.`, {
        at: place,
        hint: `There are ${known.columns.map(column => column.name).join(', ')}.`,
      })
    }
    columns.push({ name, type: typeOf(rows.map(row => row[name])) })
  }
  // A table has at least one column.
  return columns.length > 0 ? columns : [{ name: 'nothing', type: 'integer' }]
}

function valueOf(row: Readonly<Record<string, unknown>>, name: string): unknown {
  const key = Object.keys(row).find(one => one.toLowerCase() === name.toLowerCase())
  return key === undefined ? null : row[key]
}

const patterns: readonly (readonly [RegExp, string])[] = [
  [/^-?\d{1,18}$/, 'bigint'],
  [/^-?\d+(\.\d+)?([eE]-?\d+)?$/, 'double'],
  [/^(true|false)$/i, 'boolean'],
  [/^\d{4}-\d\d-\d\d$/, 'date'],
  [/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?$/, 'timestamp'],
  [/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$/, 'timestamptz'],
]

/** The narrowest type that holds all values. */
function typeOf(values: readonly unknown[]): string {
  const present = values.filter(value => value !== null && value !== undefined).map(plainText)
  if (present.length === 0) return 'varchar'
  return patterns.find(([pattern]) => present.every(text => pattern.test(text)))?.[1] ?? 'varchar'
}

function literal(value: unknown): string {
  return value === null || value === undefined ? 'null' : `'${plainText(value).replaceAll("'", "''")}'`
}

/** A list or mapping as JSON, which DuckDB reads as either. */
function plainText(value: unknown): string {
  return textOf(value) ?? JSON.stringify(value)
}

async function placed(rows: GivenRows, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof PlinthError) || error.code === 'TRANSFORM_INVALID') throw error
    throw new PlinthError('TRANSFORM_INVALID', error.message, { at: rows.place, hint: error.hint, cause: error })
  }
}

/** Whether it could be made; a transform over columns of unknown types cannot. */
async function attempt(scratch: Session, statement: string): Promise<boolean> {
  try {
    await scratch.query(statement)
    return true
  } catch (error) {
    if (error instanceof PlinthError) return false
    throw error
  }
}

async function describedColumns(scratch: Session, table: string): Promise<ScratchColumn[]> {
  const { rows } = await scratch.query<{ column_name: string; column_type: string }>(`describe ${table}`)
  return rows.map(row => ({ name: row.column_name, type: row.column_type }))
}

function listed(columns: readonly ScratchColumn[]): string {
  return columns.map(({ name, type }) => `${quoted(name)} ${type}`).join(', ')
}

function tableOf(schema: string, name: string): string {
  return `${quoted(schema)}.${quoted(name)}`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

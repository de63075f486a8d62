/** Contracts of transforms: the columns and types that are promised, held against the query and against the table in the warehouse. */
import type { Session, Warehouse } from '../../engines/engine.ts'
import { nearest, type Place, PlinthError } from '../../errors.ts'
import { spellingOf } from '../run/cells.ts'
import { compile, type Names } from '../project/compile.ts'
import { located } from '../run/materialize.ts'
import type { Column, Contract, Transform } from '../project/project.ts'

interface TypedColumn {
  readonly name: string
  readonly type: string
}

/**
 * Throws TRANSFORM_INVALID, at the column in the properties file, unless the query answers exactly the promised columns with their types, and
 * the table has them as well. Makes the table as promised where there is none. Does nothing for a transform without a contract.
 */
export async function holdContract(session: Session, transform: Transform, names: Names): Promise<void> {
  const { contract, schema, table: name } = transform
  if (!contract) return
  const spelling = spellingOf(session)
  const promised = await holdQuery(session, transform, names)
  const table = spelling.relation(schema, name)
  if ((await spelling.columns(session, schema, name)).length > 0) {
    // Types of a table are asked for as those of a query, so that one word stands for one type.
    const types = await spelling.describeTypes(session, `select * from ${table}`)
    const hint = 'Make the migration of the table and the contract agree.'
    compare(contract, promised, types, `the table ${schema}.${name} has`, hint, contract.place)
  } else if (transform.materialized !== 'view') {
    await session.query(`create schema if not exists ${spelling.name(schema)}`)
    await session.query(`create table ${table} (${columnList(spelling, contract)})`)
  }
}

/** The first half: the query alone. Answers the promised types in the warehouse's own words. */
export async function holdQuery(
  session: Session,
  transform: Transform,
  names: Names,
): Promise<ReadonlyMap<string, string>> {
  const { contract, name, template } = transform
  if (!contract) return new Map()
  const spelling = spellingOf(session)
  const options = {
    engine: session.engine.name,
    quote: spelling.name,
    session,
    mode: 'whole',
    self: transform,
  } as const
  const rendered = await compile(template, names, options)
  const promised = await promisedTypes(session, contract.columns)
  const answered = await located(transform, rendered, () => spelling.describeTypes(session, rendered.sql))
  const query = { file: template.file, line: 1, source: template.source }
  compare(contract, promised, answered, `"${name}" answers`, 'Make the query and the contract agree.', query)
  return promised
}

/** Rows are replaced within a transaction, in which keys would see both; whether keys hold is a check. */
function columnList({ name: quoted, typeNamed }: Warehouse, { columns, constraints }: Contract): string {
  const keys = constraints.filter(({ type }) => type === 'not_null' || type === 'primary_key')
  return columns
    .map(column => {
      const isRequired =
        column.constraints.some(({ type }) => type === 'not_null' || type === 'primary_key') ||
        keys.some(key => key.columns.includes(column.name))
      return `${quoted(column.name)} ${typeNamed(column.type)}${isRequired ? ' not null' : ''}`
    })
    .join(', ')
}

/** The promised types in the warehouse's own words, column by column. */
async function promisedTypes(session: Session, columns: readonly Column[]): Promise<ReadonlyMap<string, string>> {
  const { name: quoted, typeNamed, describeTypes } = spellingOf(session)
  const nulls = (some: readonly Column[]) =>
    `select ${some.map(({ name, type }) => `cast(null as ${typeNamed(type)}) as ${quoted(name)}`).join(', ')}`
  try {
    return new Map((await describeTypes(session, nulls(columns))).map(({ name, type }) => [name, type]))
  } catch (error) {
    if (!(error instanceof PlinthError)) throw error
    for (const column of columns) {
      await describeTypes(session, nulls([column])).catch((cause: unknown) => {
        if (!(cause instanceof PlinthError)) throw cause
        throw new PlinthError('TRANSFORM_INVALID', `The warehouse has no type "${column.type}": ${cause.message}`, {
          at: column.place,
          cause,
        })
      })
    }
    throw error
  }
}

function compare(
  contract: Contract,
  promised: ReadonlyMap<string, string>,
  found: readonly TypedColumn[],
  subject: string,
  hint: string,
  query: Place,
): void {
  const types = new Map(found.map(({ name, type }) => [name, type]))
  for (const { name, type, place } of contract.columns) {
    const actual = types.get(name)
    if (actual === undefined) {
      const guess = nearest(name, [...types.keys()])
      throw broken(
        `The contract promises a column "${name}", and ${subject} none.`,
        place,
        guess ? `Did you mean "${guess}"? ${hint}` : hint,
      )
    }
    if (actual !== promised.get(name))
      throw broken(
        `The contract promises "${name}" as ${type}, and ${subject} it as ${actual.toLowerCase()}.`,
        place,
        hint,
      )
  }
  const extra = found.find(({ name }) => !promised.has(name))
  if (extra)
    throw broken(
      `${subject[0]?.toUpperCase()}${subject.slice(1)} a column "${extra.name}", which its contract does not promise.`,
      query,
      hint,
    )
}

function broken(message: string, at: Place, hint: string): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', message, { at, hint })
}

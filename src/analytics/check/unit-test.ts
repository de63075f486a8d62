/**
 * Unit tests of transforms: each is given rows for everything that it reads, on a database in memory, and its answer is held against the
 * rows that are expected. No warehouse and no source is asked.
 */
import type { Session } from '../../engines/engine.ts'
import { nearest, PlinthError } from '../../errors.ts'
import type { CheckStatus, Emit } from '../../telemetry/event.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import { observed } from '../project/observe.ts'
import { located } from '../run/materialize.ts'
import { type Given, type GivenRows, type Project, type Transform, type UnitTest } from '../project/project.ts'
import { compareRows, type RowDifference } from './row-difference.ts'
import { fillTable, type ScratchColumn, scratchTypes, type Types } from './scratch.ts'

export interface UnitTestOptions {
  /** A session on an empty DuckDB database of its own. */
  readonly scratch: Session
  readonly emit: Emit
  readonly signal?: AbortSignal
  /** Names of the unit tests that are run; default all. */
  readonly select?: ReadonlySet<string>
}

export interface UnitTestReport {
  readonly status: 'passed' | 'failed'
  readonly durationMs: number
  readonly tests: readonly UnitTestResult[]
}

export interface UnitTestResult {
  readonly test: string
  readonly transform: string
  readonly status: Extract<CheckStatus, 'passed' | 'failed' | 'error'>
  readonly expectedRows: number
  readonly foundRows: number
  /** Columns that were compared. */
  readonly columns: readonly string[]
  readonly differences: readonly RowDifference[]
  readonly durationMs: number
  readonly file: string | null
  readonly line: number | null
  /** Why it could not run, with its place; null when it ran. */
  readonly error: PlinthError | null
}

/** Runs every unit test that is selected, also after one has failed. */
export async function runUnitTests(project: Project, options: UnitTestOptions): Promise<UnitTestReport> {
  const started = performance.now()
  const { scratch } = options
  await scratch.query(`set TimeZone = 'UTC'`)
  const types = await scratchTypes(scratch, project)
  const tests: UnitTestResult[] = []
  for (const test of project.unitTests) {
    if (options.select?.has(test.name) === false) continue
    options.signal?.throwIfAborted()
    const result = await runUnitTest(project, test, types, scratch, tests.length)
    tests.push(result)
    const { status, durationMs, differences } = result
    options.emit({ type: 'check.finished', check: result.test, status, failures: differences.length, durationMs })
  }
  const status = tests.every(test => test.status === 'passed') ? 'passed' : 'failed'
  return { status, durationMs: Math.round(performance.now() - started), tests }
}

async function runUnitTest(
  project: Project,
  test: UnitTest,
  types: Types,
  scratch: Session,
  number: number,
): Promise<UnitTestResult> {
  const started = performance.now()
  const result = (rest: Partial<UnitTestResult>): UnitTestResult => ({
    test: test.name,
    transform: test.transform,
    status: 'passed',
    expectedRows: 0,
    foundRows: 0,
    columns: [],
    differences: [],
    file: test.place.file ?? null,
    line: test.place.line ?? null,
    error: null,
    ...rest,
    durationMs: Math.round(performance.now() - started),
  })
  const schema = `unit_${number}`
  try {
    await scratch.query(`create schema ${schema}`)
    const answered = await answer(project, test, types, scratch, schema)
    const { expectedRows, foundRows, columns, differences } = await hold(test, answered, scratch, schema)
    return result({
      status: differences.length === 0 ? 'passed' : 'failed',
      expectedRows,
      foundRows,
      columns,
      differences,
    })
  } catch (error) {
    if (!(error instanceof PlinthError) || error.code === 'INTERNAL') throw error
    return result({ status: 'error', error })
  } finally {
    await scratch.query(`drop schema if exists ${schema} cascade`)
  }
}

/** Makes the inputs, lets the transform answer them into the table `answer`, and says its columns. */
async function answer(
  project: Project,
  test: UnitTest,
  types: Types,
  scratch: Session,
  schema: string,
): Promise<readonly ScratchColumn[]> {
  const transform = [...project.transforms, ...project.ephemerals].find(({ name }) => name === test.transform)
  if (!transform)
    throw new PlinthError('TRANSFORM_INVALID', `There is no transform "${test.transform}".`, { at: test.place })
  const names = unitNames(namesOf(project), test, schema)
  const compiling = { ...optionsOf(test), self: { schema, name: transform.name }, session: scratch }
  const tables = tablesOf(test)
  await refuseUngiven(transform, test, names, compiling.overrides)
  for (const [input, table] of tables)
    await fillTable(scratch, schema, table, input.rows, types.of(input.input, transform.name))
  const rendered = await compile(transform.template, names, compiling)
  await located(transform, rendered, () =>
    scratch.query(`create table ${schema}.plinth_answer as select * from (\n${rendered.sql}\n) as result`),
  )
  return describeTable(scratch, schema, 'plinth_answer')
}

function optionsOf({ overrides }: UnitTest) {
  const macros = Object.entries(overrides.macros).map(([name, value]) => [name, value] as const)
  const constants = Object.fromEntries(
    macros.map(([name, value]) => [name.replace(/^\w+\./, ''), () => value as string | boolean]),
  )
  const incremental = overrides.macros['is_incremental'] === true
  return { engine: 'duckdb', mode: incremental ? 'cells' : 'whole', overrides: constants } as const
}

/** Names that lead to the tables of the test, with what it overrides. */
function unitNames(names: Names, test: UnitTest, schema: string): Names {
  const given = (kind: Given['input']['kind']) =>
    test.given.flatMap(({ input }) => (input.kind === kind ? [input.name] : []))
  const refs = given('ref')
  return {
    ...names,
    transforms: new Map([
      ...[...names.transforms.keys()].map(name => [name, { schema, name }] as const),
      ...refs.map(name => [name, { schema, name }] as const),
    ]),
    ephemerals: new Map([...names.ephemerals].filter(([name]) => !refs.includes(name))),
    sources: new Map([...names.sources.keys()].map(key => [key, { schema, identifier: sourceTable(key) }])),
    variables: { ...names.variables, ...test.overrides.variables },
    surroundings: {
      ...names.surroundings,
      environment: { ...names.surroundings.environment, ...test.overrides.environment },
    },
  }
}

function sourceTable(key: string): string {
  return `source ${key}`
}

function tablesOf(test: UnitTest): [Given, string][] {
  return test.given.map(given => {
    const { kind, name } = given.input
    return [given, kind === 'source' ? sourceTable(name) : kind === 'this' ? test.transform : name]
  })
}

/** Everything that is read must be given, and everything that is given must be read: else the test shows something else than it says. */
async function refuseUngiven(
  transform: Transform,
  test: UnitTest,
  names: Names,
  overrides: ReturnType<typeof optionsOf>['overrides'],
): Promise<void> {
  const { refs, sources } = await observed(transform.name, transform.template, names, { overrides })
  const read = [...refs.map(name => `ref('${name}')`), ...sources.map(key => `source('${key.replace('.', "', '")}')`)]
  const spelled = (input: Given['input']) =>
    input.kind === 'ref' ? `ref('${input.name}')` : `source('${input.name.replace('.', "', '")}')`
  const given = test.given.filter(({ input }) => input.kind !== 'this')
  const ungiven = read.find(one => !given.some(({ input }) => spelled(input) === one))
  if (ungiven !== undefined) {
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `"${test.name}" gives no rows for ${ungiven}, which "${transform.name}" reads.`,
      {
        at: test.place,
        hint: `Add {input: "${ungiven}", rows: []} to its given rows.`,
      },
    )
  }
  const unread = given.find(({ input }) => !read.includes(spelled(input)))
  if (!unread) return
  const guess = nearest(spelled(unread.input), read)
  throw new PlinthError('TRANSFORM_INVALID', `"${transform.name}" does not read ${spelled(unread.input)}.`, {
    at: unread.place,
    hint: guess ? `Did you mean ${guess}?` : `It reads ${read.join(', ') || 'nothing'}.`,
  })
}

async function hold(test: UnitTest, answered: readonly ScratchColumn[], scratch: Session, schema: string) {
  const { expected } = test
  const columns = await expectedColumns(expected, answered, scratch)
  await fillTable(scratch, schema, 'plinth_expected', expected, {
    columns: columns.length > 0 ? columns : answered,
    strict: 'yes',
  })
  const compared = columns.length > 0 ? columns : answered
  const rowsOf = async (table: string) => {
    const texts = compared.map(({ name }) => `cast(${quoted(name)} as varchar) as ${quoted(name)}`)
    const { rows } = await scratch.query<Record<string, string | null>>(
      `select ${texts.join(', ')} from ${schema}.${table}`,
    )
    return rows
  }
  const names = compared.map(({ name }) => name)
  const wanted = await rowsOf('plinth_expected')
  const found = await rowsOf('plinth_answer')
  return {
    expectedRows: wanted.length,
    foundRows: found.length,
    columns: names,
    differences: compareRows(wanted, found, names),
  }
}

/** The columns that the expected rows name, as the transform answers them. */
async function expectedColumns(
  expected: GivenRows,
  answered: readonly ScratchColumn[],
  scratch: Session,
): Promise<ScratchColumn[]> {
  const named =
    expected.kind === 'values'
      ? [...new Set(expected.rows.flatMap(row => Object.keys(row)))]
      : (await scratch.query<{ column_name: string }>(`describe ${expected.query}`)).rows.map(row => row.column_name)
  return named.map(name => {
    const column = answered.find(one => one.name.toLowerCase() === name.toLowerCase())
    if (column) return column
    const known = answered.map(one => one.name)
    const guess = nearest(name, known)
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `The expected rows name a column "${name}", which the transform does not answer.`,
      {
        at: expected.place,
        hint: guess ? `Did you mean "${guess}"?` : `It answers ${known.join(', ')}.`,
      },
    )
  })
}

async function describeTable(scratch: Session, schema: string, table: string): Promise<ScratchColumn[]> {
  const { rows } = await scratch.query<{ column_name: string; column_type: string }>(`describe ${schema}.${table}`)
  return rows.map(row => ({ name: row.column_name, type: row.column_type }))
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

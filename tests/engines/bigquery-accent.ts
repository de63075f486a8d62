/** The stories of the suite in GoogleSQL. BigQuery has one integer, of 64 bits; what the stories keep in four bytes is told as a number. */
import type { Parameterized, Result, Session, StatementDone, Value } from '../../src/engines/engine.ts'
import type { Accent } from './conformance.ts'

const notEnforced =
  'BigQuery enforces no keys and checks, and has no indexes; bigquery.peer.test.ts tells what it reads'
const emulatorDecimals = 'the emulator casts decimals to three digits; bigquery.peer.test.ts tells them through tables'
const emulatorPlaces =
  'the emulator does not tell where in a text an error is; the stories of failures tell it of what BigQuery says'

export const accent: Accent = {
  session: spelled,
  without: {
    'wide numbers, moments, documents and bytes come back without loss': emulatorDecimals,
    'parameters survive the way there and back': emulatorDecimals,
    'a failing statement stops the script, and those before it were told': emulatorPlaces,
    'a syntax error has its line and column': emulatorPlaces,
    'a row that a constraint refuses is not shown to anybody': notEnforced,
    'tables, columns, keys, checks, indexes, views and comments are read': notEnforced,
    'a cancelled statement ends as interrupted, and the session goes on': 'the emulator cannot stop a query',
  },
}

function spelled(session: Session): Session {
  return new Proxy(session, {
    get(target, key) {
      if (key === 'query')
        return async (text: string, values?: readonly Value[]): Promise<Result> =>
          narrowed(await target.query(spell(text), values))
      if (key === 'script')
        return (text: string, told?: (done: StatementDone) => void) => target.script(spell(text), told)
      if (key === 'send')
        return (statements: readonly Parameterized[]) =>
          target.send(statements.map(statement => ({ ...statement, text: spell(statement.text) })))
      if (key === 'copyOut') return (text: string) => target.copyOut(spell(text))
      const member: unknown = Reflect.get(target, key, target)
      return typeof member === 'function' ? (member as (...given: unknown[]) => unknown).bind(target) : member
    },
  })
}

function narrowed(result: Result): Result {
  const rows = result.rows.map(row =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === 'string' && /^-?\d{1,9}$/.test(value) ? Number(value) : value,
      ]),
    ),
  )
  return { ...result, rows }
}

const types: Readonly<Record<string, string>> = {
  text: 'string',
  integer: 'int64',
  bigint: 'int64',
  int: 'int64',
  'double precision': 'float64',
  timestamptz: 'timestamp',
}

const catalogStory = `
  create schema shop;
  create table shop.customers (
    id int64 not null,
    name string not null default 'nobody' options (description = 'As they write it; "quoted" or not.'),
    joined timestamp
  ) options (description = 'People who bought something.');
  create table shop.orders (customer_id int64 not null, number int64 not null);
  create view shop.names as select id, name from shop.customers;
  create table plinth.history (n integer)`

function spell(text: string): string {
  if (text.includes('create schema shop')) return catalogStory
  return text
    .replace(/= any \((\$\d+)::text\[\]\)/g, 'in unnest($1)')
    .replace(/generate_series\((\d+), (\d+)\) as series \(i\)/g, 'unnest(generate_array($1, $2)) as i')
    .replace(
      /("(?:[^"]|"")*"|'(?:[^']|'')*'|count\(\*\)|[\w.$]+)::(double precision|\w+)/g,
      (_, value, type: string) => `cast(${value} as ${types[type] ?? type})`,
    )
    .replace(/timestamptz '/g, "timestamp '")
    .replace(/\bas (integer|text)\)/g, (_, type: string) => `as ${types[type]})`)
    .replace(/(create table [\s\S]*?\))/g, table =>
      table.replace(/\b(integer|bigint|text|int)\b/g, type => types[type] ?? type),
    )
}

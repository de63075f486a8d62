/**
 * Google's analyzer of GoogleSQL, as a server of its own: it parses a statement, resolves its names in a catalog and types it, as BigQuery does
 * before it runs anything. The catalog is learned from the statements that make tables.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { commandOf, splitStatements, tokensOf } from '../../src/sql/googlesql.ts'
import { freePort } from './free-port.ts'

const folder = process.env['PLINTH_ZETASQL'] ?? join(import.meta.dirname, '../../.plinth/peers/zetasql')

/** Null when it is installed, else why what needs it is skipped. */
export const withoutZetaSql: string | null = existsSync(join(folder, 'installed'))
  ? null
  : "Google's analyzer is not installed (scripts/peers/zetasql.sh)"
if (withoutZetaSql && process.env['PLINTH_PEERS'] === 'required' && process.env['PLINTH_ZETASQL'] !== 'none')
  throw new Error(withoutZetaSql)

export interface Analyst {
  /** Checks a statement, and knows from then on what it makes. Answers what the analyzer says, or null when it accepts it. */
  check(statement: string): Promise<string | null>
  /** The same for each statement of a script, with the statement it is about. */
  checkScript(script: string): Promise<string[]>
  /** A table that was made by other means than a statement. */
  learn(schema: string, name: string, columns: readonly { readonly name: string; readonly type: string }[]): void
  forget(): void
}

interface Column {
  readonly name: string
  readonly type: unknown
}

/** Starts with the tests of the file and ends with them. */
export function analyst(): Analyst {
  let client: ZetaSqlClient | undefined
  let child: ChildProcess | undefined
  let options: unknown
  let languageOptions: unknown
  const tables = new Map<string, Map<string, readonly Column[]>>()
  const learn = (schema: string, name: string, columns: readonly Column[]) => {
    const known = tables.get(schema) ?? new Map<string, readonly Column[]>()
    tables.set(schema, known.set(name, columns))
  }
  beforeAll(async () => {
    if (withoutZetaSql) return
    const require = createRequire(join(folder, 'package.json'))
    const { ZetaSQLClient } = require('@fivetrandevelopers/zetasql') as ZetaSql
    const port = await freePort()
    child = spawn(serverOf(require.resolve('@fivetrandevelopers/zetasql')), ['localhost', String(port)], {
      stdio: 'ignore',
    })
    ZetaSQLClient.init(port)
    client = ZetaSQLClient.getInstance()
    if (!(await client.testConnection())) throw new Error('The analyzer did not answer.')
    languageOptions = {
      ...(await client.getLanguageOptions({ maximumFeatures: true })),
      productMode: 'PRODUCT_EXTERNAL',
      // Of every kind.
      supportedStatementKinds: [],
    }
    options = { languageOptions, allowUndeclaredParameters: true, pruneUnusedColumns: false }
  }, 60_000)
  afterAll(async () => {
    if (!child || child.exitCode !== null) return
    const ended = new Promise(resolve => child?.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  })
  const check = async (statement: string): Promise<string | null> => {
    if (!client) throw new Error('The analyzer has not been started.')
    try {
      const answer = await client.analyze({
        simpleCatalog: catalogOf(tables, languageOptions),
        options,
        sqlStatement: withoutAliases(statement),
      })
      const made = madeBy(answer.resolvedStatement)
      if (made) learn(made.schema, made.name, made.columns)
      const added = addedBy(answer.resolvedStatement)
      if (added) learn(added.schema, added.name, [...(tables.get(added.schema)?.get(added.name) ?? []), added.column])
      return null
    } catch (error) {
      const complaint = (error as { details?: string }).details ?? String(error)
      // What is nested deeper than an answer may be was understood nevertheless.
      return complaint.startsWith('Response message parsing error') ? null : complaint
    }
  }
  return {
    check,
    async checkScript(script) {
      const complaints: string[] = []
      for (const { text } of splitStatements(script)) {
        const complaint = await check(text)
        if (complaint !== null) complaints.push(`${complaint}\n  in ${commandOf(text)}: ${text}`)
      }
      return complaints
    },
    learn: (schema, name, columns) =>
      learn(
        schema,
        name,
        columns.map(column => ({
          name: column.name,
          type: { typeKind: `TYPE_${kinds[column.type.toUpperCase()] ?? column.type.toUpperCase()}` },
        })),
      ),
    forget: () => tables.clear(),
  }
}

/** The API's older names of types. */
const kinds: Readonly<Record<string, string>> = {
  INTEGER: 'INT64',
  FLOAT: 'DOUBLE',
  FLOAT64: 'DOUBLE',
  BOOLEAN: 'BOOL',
}

/** BigQuery has names of its own for types, which the analyzer leaves to it. */
function withoutAliases(statement: string): string {
  const word = (text: string) => aliases[text.toLowerCase()] ?? text
  return tokensOf(statement)
    .map(({ kind, text }) => (kind === 'word' ? word(text) : text))
    .join('')
}

const aliases: Readonly<Record<string, string>> = {
  smallint: 'int64',
  integer: 'int64',
  bigint: 'int64',
  int: 'int64',
  decimal: 'numeric',
}

interface ZetaSqlClient {
  testConnection(): Promise<boolean>
  getLanguageOptions(request: unknown): Promise<object>
  analyze(request: unknown): Promise<{ readonly resolvedStatement: unknown }>
}

interface ZetaSql {
  readonly ZetaSQLClient: { init(port: number): void; getInstance(): ZetaSqlClient }
}

function serverOf(entry: string): string {
  const arm = process.arch.startsWith('arm') ? '_arm' : ''
  return join(dirname(entry), 'zetasql', `remote_server${arm}${process.platform === 'darwin' ? '' : '.so'}`)
}

function catalogOf(tables: ReadonlyMap<string, ReadonlyMap<string, readonly Column[]>>, languageOptions: unknown) {
  let serializationId = 1
  const catalog = [...tables].map(([name, known]) => ({
    name,
    table: [...known].map(([table, columns]) => ({
      name: table,
      serializationId: serializationId++,
      column: columns.map(column => ({ ...column, isWriteableColumn: true })),
    })),
  }))
  return { name: 'bigquery', catalog, builtinFunctionOptions: { languageOptions } }
}

/** What a `create table` or `create view` makes, however deep the answer has it. */
function madeBy(
  resolved: unknown,
): { readonly schema: string; readonly name: string; readonly columns: Column[] } | null {
  const path = found(resolved, 'namePath') as string[] | undefined
  const list = found(resolved, 'columnDefinitionList') as Column[] | undefined
  if (!path || path.length < 2 || !list || list.length === 0) return null
  return {
    schema: path.at(-2) ?? '',
    name: path.at(-1) ?? '',
    columns: list.map(({ name, type }) => ({ name, type: { typeKind: (type as { typeKind: unknown }).typeKind } })),
  }
}

/** What an `alter table … add column` adds. */
function addedBy(
  resolved: unknown,
): { readonly schema: string; readonly name: string; readonly column: Column } | null {
  const path = found(resolved, 'namePath') as string[] | undefined
  const column = found(found(resolved, 'alterActionList'), 'columnDefinition') as Column | undefined
  if (!path || path.length < 2 || !column) return null
  const { typeKind } = column.type as { typeKind: unknown }
  return { schema: path.at(-2) ?? '', name: path.at(-1) ?? '', column: { name: column.name, type: { typeKind } } }
}

function found(node: unknown, key: string): unknown {
  if (typeof node !== 'object' || node === null) return undefined
  if (key in node) return (node as Record<string, unknown>)[key]
  for (const inner of Object.values(node)) {
    const answer = found(inner, key)
    if (answer !== undefined) return answer
  }
  return undefined
}

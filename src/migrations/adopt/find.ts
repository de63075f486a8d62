/** Whose histories a database has, and what of a catalog belongs to them. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { qualified, type Schema } from '../../schema/model.ts'
import { atlas } from './atlas.ts'
import { dbmate } from './dbmate.ts'
import { diesel } from './diesel.ts'
import { drizzle } from './drizzle.ts'
import { evolutions } from './evolutions.ts'
import { flyway } from './flyway.ts'
import { golangMigrate } from './golang-migrate.ts'
import { goose } from './goose.ts'
import { graphileMigrate } from './graphile-migrate.ts'
import { liquibase } from './liquibase.ts'
import { nodePgMigrate } from './node-pg-migrate.ts'
import { prisma } from './prisma.ts'
import { sqitch } from './sqitch.ts'
import { sqlMigrate } from './sql-migrate.ts'
import { sqlx } from './sqlx.ts'
import { supabase } from './supabase.ts'
import { tern } from './tern.ts'
import { type Files, type ForeignHistory, type ForeignTool, inVersionsOf, quotedTable, type ToolName } from './tool.ts'
import { yoyo } from './yoyo.ts'

/** dbmate's table has a column that others have as well, so it is asked last. */
export const tools: readonly ForeignTool[] = [
  golangMigrate,
  goose,
  flyway,
  nodePgMigrate,
  graphileMigrate,
  prisma,
  drizzle,
  sqlx,
  diesel,
  sqlMigrate,
  atlas,
  supabase,
  sqitch,
  evolutions,
  yoyo,
  liquibase,
  tern,
  dbmate,
]

export interface FoundHistory {
  readonly tool: ForeignTool
  /** Of its table. */
  readonly schema: string
  /** Unquoted, for people. */
  readonly table: string
  /** Quoted, for statements. */
  readonly quoted: string
}

export interface Wanted {
  readonly from?: ToolName | undefined
  /** `schema.table` or `table`, where it has a name of somebody's own. */
  readonly table?: string | undefined
  /** The folder's, which decides between two. */
  readonly layout?: string | undefined
}

/** The one history to take over. Throws HISTORY_UNKNOWN with the candidates when there is none or more than one. */
export async function findHistory(session: Session, wanted: Wanted): Promise<FoundHistory> {
  const found = (await listHistories(session, wanted)).filter(
    ({ tool }) => wanted.from === undefined || tool.name === wanted.from,
  )
  const fitting = found.length > 1 ? found.filter(({ tool }) => tool.layout === wanted.layout) : found
  const [first, second] = fitting.length === 0 ? found : fitting
  if (first && !second) return first
  const candidates = found.map(({ tool, table }) => `${tool.name} in ${table}`)
  throw new PlinthError(
    'HISTORY_UNKNOWN',
    first
      ? `${session.address} has several histories: ${candidates.join(', ')}.`
      : `${session.address} has no history${wanted.from ? ` of ${wanted.from}` : ' of a tool that is known'}.`,
    {
      at: { object: session.address },
      hint: first
        ? 'Name one with --from TOOL, or with --table SCHEMA.TABLE.'
        : 'Use --table when it has a name of its own, or plinth baseline VERSION where no tool kept one.',
      details: { candidates },
    },
  )
}

/** What it says, in versions of the folder. Throws what reading throws. */
export async function readForeign(
  session: Session,
  { tool, quoted }: FoundHistory,
  folder: Files,
): Promise<ForeignHistory> {
  const history = await tool.read(session, quoted)
  return inVersionsOf(tool.settle?.(history, folder) ?? history, folder.migrations)
}

/** Those whose tables are there, whatever they hold. */
export async function listHistories(session: Session, { table }: Wanted): Promise<FoundHistory[]> {
  const [name = '', schema] = (table ?? '').split('.').toReversed()
  const { rows } = await session.query<{ schema: string; name: string; columns: string[] }>(
    `select n.nspname as schema, c.relname as name, json_agg(a.attname) as columns
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'plinth')
      and c.relname = any ($1::text[])
    group by n.nspname, c.relname
    order by n.nspname, c.relname`,
    [table === undefined ? tools.map(tool => tool.table) : [name]],
  )
  return rows
    .filter(row => schema === undefined || row.schema === schema)
    .flatMap(row => {
      const tool = tools.find(one => (table !== undefined || one.table === row.name) && isTableOf(one, row.columns))
      return tool ? [{ tool, schema: row.schema, table: `${row.schema}.${row.name}`, quoted: quotedTable(row) }] : []
    })
}

/**
 * The catalog without the tables in which other tools keep their histories: no migration makes them, so they are neither drift nor a lie.
 * `also` are tables with names of somebody's own.
 */
export function withoutHistories(schema: Schema, also: readonly string[] = []): Schema {
  const named = schema.tables.flatMap(table => {
    const columns = table.columns.map(column => column.name)
    const tool = tools.find(one => one.table === table.name && isTableOf(one, columns))
    return tool ? [{ tool, table }] : []
  })
  const beside = named.flatMap(({ tool, table }) => (tool.beside ?? []).map(name => qualified({ ...table, name })))
  const foreign = new Set([...named.map(({ table }) => qualified(table)), ...beside, ...also])
  const owned = new Set(named.flatMap(({ tool, table }) => (ownsSchemaOf(tool, table.schema) ? [table.schema] : [])))
  const ownSchema = (name: string) => owned.has(name)
  return {
    ...schema,
    tables: schema.tables.filter(table => !foreign.has(qualified(table)) && !ownSchema(table.schema)),
    sequences: schema.sequences.filter(
      ({ ownedBy }) => ownedBy === null || !foreign.has(ownedBy.slice(0, ownedBy.lastIndexOf('.'))),
    ),
    schemas: schema.schemas.filter(({ name }) => !ownSchema(name)),
  }
}

/** Where somebody let it use a schema of the application, only its table is its own. */
export function ownsSchemaOf({ ownsSchema }: ForeignTool, schema: string): boolean {
  return ownsSchema === true && schema !== 'public'
}

function isTableOf({ columns, without = [] }: ForeignTool, names: readonly string[]): boolean {
  return columns.every(column => names.includes(column)) && !without.some(column => names.includes(column))
}

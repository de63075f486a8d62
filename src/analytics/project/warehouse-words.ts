/** dbt's words that ask the warehouse or do something in it: run_query, statement, and what `adapter` can. */
import type { Session, Warehouse } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { CallContext, Relation, TemplateFunction, TemplateValue } from '../../sql/template.ts'
import { columnValue, tableValue } from './answers.ts'
import type { Ask, Asked } from './asking.ts'
import { textOf } from './shapes.ts'

/** How tables are named, and who is asked; null while a project is read. */
export interface Asking {
  readonly ask: Ask | null
  readonly quote: (name: string) => string
  readonly relation: (schema: string, identifier: string, type?: 'table' | 'view') => Relation
}

export interface WarehouseWords {
  /** Called by their name or behind `dbt.`. */
  readonly macros: Readonly<Record<string, TemplateFunction>>
  /** Called behind `adapter.`. */
  readonly adapter: Readonly<Record<string, TemplateFunction>>
}

export function warehouseWords({ ask, quote, relation }: Asking): WarehouseWords {
  const results = new Map<string, TemplateValue>()
  const asked = (otherwise: TemplateValue, question: Asked, context: CallContext): TemplateValue =>
    ask ? ask(question, context) : otherwise
  const query = (sql: string, context: CallContext) => asked(null, session => rowsOf(session, sql), context)
  const columns: TemplateFunction = ([of], named, context) =>
    asked(
      [],
      async session => {
        const { schema, identifier } = relationIn(of ?? named['relation'])
        const found = await warehouseOf(session).columns(session, schema, identifier)
        return found.map(column => columnValue(column, quote))
      },
      context,
    )
  const found = (schema: string, identifier: string, context: CallContext) =>
    asked(
      null,
      async session => {
        const kind = await warehouseOf(session).kind(session, schema, identifier)
        return kind && relation(schema, identifier, kind)
      },
      context,
    )
  const load: TemplateFunction = ([of], named, context) => {
    const { schema, identifier } = relationIn(of ?? named['relation'])
    return found(schema, identifier, context)
  }
  const acts =
    (
      statement: (session: Session, ...relations: readonly Relation[]) => Promise<readonly string[]>,
    ): TemplateFunction =>
    (positional, named, context) =>
      asked(
        '',
        async session => {
          const given = [...positional, ...Object.values(named)].filter(isRelation)
          for (const text of await statement(session, ...given)) await session.query(text)
          return ''
        },
        context,
      )
  const drop = acts(async (session, of) => {
    const { schema, identifier, text } = relationIn(of)
    const kind = await warehouseOf(session).kind(session, schema, identifier)
    return kind ? [`drop ${kind} ${text}`] : []
  })
  const createSchema = acts(async (_, of) => [`create schema if not exists ${quote(relationIn(of).schema)}`])
  const statement: TemplateFunction = ([name], named, context) => {
    if (!ask) return ''
    const answer = query(context.textOf(named['caller']), context)
    const key = textOf(name ?? named['name'])
    if (key !== undefined) results.set(key, { response: 'OK', table: answer, data: answer })
    return ''
  }
  return {
    macros: {
      run_query: ([sql], named, context) => query(textOf(sql ?? named['sql']) ?? '', context),
      statement,
      load_result: ([name]) => results.get(textOf(name) ?? '') ?? null,
      store_result: ([name], named) => {
        results.set(textOf(name) ?? '', { table: (named['agate_table'] ?? null) as TemplateValue })
        return ''
      },
      get_columns_in_relation: columns,
      get_columns_in_query: ([sql], _, context) =>
        asked([], async session => warehouseOf(session).describe(session, textOf(sql) ?? ''), context),
      load_relation: load,
      load_cached_relation: load,
      drop_relation: drop,
      drop_relation_if_exists: drop,
      create_schema: createSchema,
    },
    adapter: {
      get_columns_in_relation: columns,
      get_relation: (positional, named, context) =>
        found(
          textOf(named['schema'] ?? positional[1]) ?? '',
          textOf(named['identifier'] ?? positional[2]) ?? '',
          context,
        ),
      load_relation: load,
      get_missing_columns: ([from, to], named, context) => {
        const names = (of: unknown) => columns([of], {}, context) as readonly { readonly name: string }[]
        const known = new Set(names(to ?? named['to_relation']).map(({ name }) => name))
        return names(from ?? named['from_relation']).filter(({ name }) => !known.has(name))
      },
      check_schema_exists: (positional, named, context) => {
        const schema = textOf(named['schema'] ?? positional.at(-1)) ?? ''
        return asked(
          true,
          async session =>
            (
              await session.query(
                `select 1 from information_schema.schemata where schema_name = '${schema.replaceAll("'", "''")}'`,
              )
            ).rows.length > 0,
          context,
        )
      },
      create_schema: createSchema,
      drop_schema: acts(async (_, of) => [`drop schema if exists ${quote(relationIn(of).schema)} cascade`]),
      drop_relation: drop,
      truncate_relation: acts(async (_, of) => [`truncate table ${relationIn(of).text}`]),
      rename_relation: acts(async (session, from, to) => {
        const { schema, identifier, text } = relationIn(from)
        const kind = await warehouseOf(session).kind(session, schema, identifier)
        return [`alter ${kind ?? 'table'} ${text} rename to ${quote(relationIn(to).identifier)}`]
      }),
      execute: ([sql], named, context) => {
        const answer = query(textOf(sql ?? named['sql']) ?? '', context)
        return [{ code: 'OK', rows_affected: -1 }, answer]
      },
    },
  }
}

async function rowsOf(session: Session, sql: string): Promise<TemplateValue> {
  const text = sql.trim().replace(/;\s*$/, '')
  if (text === '') return tableValue([], [])
  // A statement that is no query has no columns to be asked for.
  const columns = await warehouseOf(session)
    .describeTypes(session, text)
    .catch((error: unknown) => {
      if (error instanceof PlinthError) return null
      throw error
    })
  if (columns === null) {
    await session.script(text)
    return tableValue([], [])
  }
  return tableValue(columns, (await session.query(text)).rows)
}

function warehouseOf({ engine }: Session): Warehouse {
  if (engine.warehouse) return engine.warehouse
  throw new PlinthError('ENGINE_UNSUPPORTED', `${engine.name} cannot hold rollups.`)
}

function isRelation(value: unknown): value is Relation {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'relation'
}

function relationIn(value: unknown): Relation {
  if (isRelation(value)) return value
  throw new PlinthError('TRANSFORM_INVALID', 'This needs a relation, such as ref(…), source(…) or this.')
}

/**
 * What every column holds, how it is protected, how long it is kept: declared in one file, checked against the catalog. Default-deny: a column that
 * the file does not name is a finding.
 *
 *   version: 1
 *   tables:
 *     shop.customers:
 *       retention_days: 365
 *       purge: delete
 *       columns:
 *         id: { class: internal, protection: none }
 *         email_ciphertext: { class: restricted, protection: encrypted, purge: anonymize }
 *
 * What a column leaves out comes from its table; a table that leaves out `retention_days` keeps its rows as long as they have a use.
 */
import { existsSync } from 'node:fs'
import * as z from 'zod'
import { parseYaml, readYaml, type YamlFile } from '../config/yaml.ts'
import type { Place } from '../errors.ts'
import { type ClassOf, type ColumnClass, dataClasses, protections, purges } from '../schema/classification.ts'

export interface Classification {
  readonly file: string
  /** By `schema.table`, then column, in the order of the file. */
  readonly tables: ReadonlyMap<string, TableClassification>
  /** Where a table, or a column of it, stands in the file. */
  place(table: string, column?: string): Place
}

export interface TableClassification {
  /** Days that rows are kept; null keeps them as long as they have a use. */
  readonly retentionDays: number | null
  readonly purge: ColumnClass['purge']
  readonly columns: ReadonlyMap<string, ColumnClass>
}

/** Reads the file. Throws CLASSIFICATION_INVALID with file and line, FILE_UNREADABLE. */
export async function loadClassification(file: string): Promise<Classification> {
  return classificationOf(file, await readYaml(file, shape, 'CLASSIFICATION_INVALID', 'classification'))
}

/** The same, but a file that does not exist classifies nothing: a project may not have one yet. */
export async function loadClassificationIfAny(file: string): Promise<Classification> {
  if (existsSync(file)) return loadClassification(file)
  return { file, tables: new Map(), place: () => ({ file }) }
}

/** The same for text that is read already; `file` is what errors call it. */
export async function parseClassification(source: string, file: string): Promise<Classification> {
  return classificationOf(file, await parseYaml(source, file, shape, 'CLASSIFICATION_INVALID', 'classification'))
}

/** The value that contract, seeds and lint are given. A partition has the classes of its root, which `parentOf` answers. */
export function classOfColumns(
  classification: Classification,
  parentOf: (table: string) => string | undefined = () => undefined,
): ClassOf {
  const find: ClassOf = (table, column) => {
    const own = classification.tables.get(table)?.columns.get(column)
    const parent = own ? undefined : parentOf(table)
    return own ?? (parent === undefined || parent === table ? undefined : find(parent, column))
  }
  return find
}

const retention = z.number().int().positive().max(36_525).nullable()

const column = z.strictObject({
  class: z.enum(dataClasses).optional(),
  protection: z.enum(protections).optional(),
  retention_days: retention.optional(),
  purge: z.enum(purges).nullable().optional(),
})

const table = column.extend({ columns: z.record(z.string(), column) })

const shape = z
  .strictObject({ version: z.literal(1), tables: z.record(z.string(), table) })
  .superRefine((content, context) => {
    for (const [tableName, declared] of Object.entries(content.tables)) {
      if (!/^[^.]+\.[^.]+$/.test(tableName)) {
        context.addIssue({
          code: 'custom',
          path: ['tables', tableName],
          message: 'a table is named with its schema, such as public.orders',
        })
      }
      for (const [name, own] of Object.entries(declared.columns)) {
        if ((own.class ?? declared.class) === undefined) {
          context.addIssue({
            code: 'custom',
            path: ['tables', tableName, 'columns', name],
            message: `needs a class: ${dataClasses.join(', ')}`,
          })
        }
        if ((own.protection ?? declared.protection) === undefined) {
          context.addIssue({
            code: 'custom',
            path: ['tables', tableName, 'columns', name],
            message: `needs a protection: ${protections.join(', ')}`,
          })
        }
      }
    }
  })

type Content = z.infer<typeof shape>
type TableContent = Content['tables'][string]

function classificationOf(file: string, yaml: YamlFile<Content>): Classification {
  return {
    file,
    tables: new Map(Object.entries(yaml.value.tables).map(([name, declared]) => [name, tableOf(declared)])),
    place: (tableName, columnName) =>
      yaml.place(columnName === undefined ? ['tables', tableName] : ['tables', tableName, 'columns', columnName]),
  }
}

function tableOf(declared: TableContent): TableClassification {
  const inherit = <T>(own: T | undefined, fromTable: T | undefined): T | null =>
    own === undefined ? (fromTable ?? null) : own
  const columns = Object.entries(declared.columns).map(([name, own]) => {
    const value: ColumnClass = {
      class: own.class ?? declared.class ?? 'restricted',
      protection: own.protection ?? declared.protection ?? 'none',
      retentionDays: inherit(own.retention_days, declared.retention_days),
      purge: inherit(own.purge, declared.purge),
    }
    return [name, value] as const
  })
  return { retentionDays: declared.retention_days ?? null, purge: declared.purge ?? null, columns: new Map(columns) }
}

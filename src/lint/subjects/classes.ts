/** Classification held against the catalog. */
import type { ClassOf, ColumnClass } from '../../schema/classification.ts'
import { type Column, qualified, type Schema, type Table } from '../../schema/model.ts'
import { isText } from './names.ts'

export interface ClassifiedColumn {
  readonly table: Table
  readonly column: Column
  readonly declared: ColumnClass
}

/** Every column that is classified; partitions are left out, since their parent speaks for them. */
export function classifiedColumns(schema: Schema, classOf: ClassOf): readonly ClassifiedColumn[] {
  return schema.tables
    .filter(table => table.partitionOf === null)
    .flatMap(table =>
      table.columns.flatMap(column => {
        const declared = classOf(qualified(table), column.name)
        return declared ? [{ table, column, declared }] : []
      }),
    )
}

/** The table holds something about a person, or a secret. */
export function holdsRestricted(table: Table, classOf: ClassOf): boolean {
  return table.columns.some(column => classOf(qualified(table), column.name)?.class === 'restricted')
}

/** Neither a hash nor an envelope can be anything but bytes, or text that encodes them. */
export function holdsBytes(type: string): boolean {
  return /^(bytea|blob|bytes|binary|varbinary)\b/i.test(type)
}

/** Text and JSON that people and programs fill as they like; a text that a check confines is none. */
export function isFree(table: Table, { name, type }: Column): boolean {
  if (/^(jsonb?|xml|hstore|public\.hstore)\b/.test(type)) return true
  const confined = table.checks.some(check =>
    new RegExp(`(?<![\\w$])${name.replaceAll('$', '\\$')}(?![\\w$])`).test(check.definition),
  )
  return isText(type) && !confined && freeNames.test(name)
}

const freeNames =
  /(^|_)(notes?|comments?|description|bio|about|message|body|content|payload|metadata|details|remarks?|reason|text|raw|log)$/

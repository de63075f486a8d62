/**
 * The picture behind every diagram: entities with the columns a reader looks for, relations with their cardinality. PlantUML, Mermaid and SVG
 * are three ways to write it down, so they can never disagree.
 */
import type { ClassOf, DataClass, Protection } from '../../schema/classification.ts'
import { type Column, type ForeignKey, qualified, type Schema, type Table } from '../../schema/model.ts'
import { compare, foldPartitions } from '../fold.ts'
import type { TenantOf } from '../tenancy.ts'

export interface Picture {
  readonly title: string
  /** Sorted by qualified name. */
  readonly entities: readonly Entity[]
  /** Sorted by child, then name. */
  readonly relations: readonly Relation[]
}

export interface Entity {
  /** Qualified name. */
  readonly id: string
  readonly schema: string
  readonly name: string
  /** The first sentence of the comment; empty when there is none. */
  readonly purpose: string
  readonly columns: readonly EntityColumn[]
  /** Such as `range (occurred_at)`, or null. */
  readonly partitioned: string | null
  readonly rowSecurity: boolean
}

export interface EntityColumn {
  readonly name: string
  /** Short spelling, such as `timestamptz` or `varchar(40)`. */
  readonly type: string
  readonly nullable: boolean
  readonly primary: boolean
  readonly foreign: boolean
  /** Unique by itself. */
  readonly unique: boolean
  readonly tenant: boolean
  readonly class: DataClass | null
  readonly protection: Protection | null
}

export interface Relation {
  readonly name: string
  /** The table that holds the foreign key. */
  readonly child: string
  readonly childColumns: readonly string[]
  readonly parent: string
  readonly parentColumns: readonly string[]
  /** How many children a parent may have. */
  readonly childCount: 'zero or one' | 'zero or many'
  /** How many parents a child has: `zero or one` when a column of the key may be null. */
  readonly parentCount: 'exactly one' | 'zero or one'
  /** Where a line leaves and arrives: the column that tells most, which is not the tenant's. */
  readonly childAnchor: string
  readonly parentAnchor: string
}

export interface PictureInputs {
  readonly title: string
  readonly schema: Schema
  readonly classOf: ClassOf
  readonly tenantOf: TenantOf
}

/** Draws up the picture of a schema; partitions are folded into their parent. */
export function pictureOf({ title, schema, classOf, tenantOf }: PictureInputs): Picture {
  const { tables } = foldPartitions(schema)
  const known = new Set(tables.map(qualified))
  const entities = tables.map(table => entityOf(table, classOf, tenantOf(table)))
  const relations = tables.flatMap(table =>
    table.foreignKeys.filter(key => known.has(key.references)).map(key => relationOf(table, key, tenantOf(table))),
  )
  return {
    title,
    entities,
    relations: relations.toSorted((a, b) => compare(a.child, b.child) || compare(a.name, b.name)),
  }
}

/** The short spelling that PostgreSQL and DuckDB both read. */
export function shortType(type: string): string {
  const plain = type.replaceAll('"', '')
  // DuckDB prints its types in capitals, which would shout beside everything else; a type of one's own has small letters and keeps its case.
  let short = plain === plain.toUpperCase() ? plain.toLowerCase() : plain
  for (const [long, brief] of abbreviations) short = short.replace(long, brief)
  return short
}

/** The text up to the end of its first sentence, without line breaks. */
export function firstSentence(text: string | null): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim()
  return /^.*?[.!?](?=\s+[A-Z`"(]|$)/.exec(line)?.[0] ?? line
}

const abbreviations: readonly (readonly [RegExp, string])[] = [
  [/\btimestamp(\(\d\))? with time zone/i, 'timestamptz$1'],
  [/\btimestamp(\(\d\))? without time zone/i, 'timestamp$1'],
  [/\btime(\(\d\))? with time zone/i, 'timetz$1'],
  [/\btime(\(\d\))? without time zone/i, 'time$1'],
  [/\bcharacter varying/i, 'varchar'],
  [/\bcharacter\b/i, 'char'],
  [/\bdouble precision/i, 'double'],
]

function entityOf(table: Table, classOf: ClassOf, tenant: string | null): Entity {
  const id = qualified(table)
  return {
    id,
    schema: table.schema,
    name: table.name,
    purpose: firstSentence(table.comment),
    columns: table.columns.map(column => entityColumnOf(table, column, classOf(id, column.name) ?? null, tenant)),
    partitioned: table.partitioning ? `${table.partitioning.strategy} (${table.partitioning.key})` : null,
    rowSecurity: table.rowSecurity.enabled,
  }
}

function entityColumnOf(
  table: Table,
  column: Column,
  declared: ReturnType<ClassOf> | null,
  tenant: string | null,
): EntityColumn {
  return {
    name: column.name,
    type: shortType(column.type),
    nullable: column.nullable,
    primary: table.primaryKey?.columns.includes(column.name) ?? false,
    foreign: table.foreignKeys.some(key => key.columns.includes(column.name)),
    unique: uniqueSets(table).some(set => set.length === 1 && set[0] === column.name),
    tenant: column.name === tenant,
    class: declared?.class ?? null,
    protection: declared?.protection ?? null,
  }
}

function relationOf(table: Table, key: ForeignKey, tenant: string | null): Relation {
  const nullable = key.columns.some(name => table.columns.find(column => column.name === name)?.nullable ?? false)
  const single = uniqueSets(table).some(set => set.every(column => key.columns.includes(column)))
  const telling = key.columns.findLastIndex(column => column !== tenant)
  const anchor = telling === -1 ? 0 : telling
  return {
    name: key.name,
    child: qualified(table),
    childColumns: key.columns,
    parent: key.references,
    parentColumns: key.referencedColumns,
    childCount: single ? 'zero or one' : 'zero or many',
    parentCount: nullable ? 'zero or one' : 'exactly one',
    childAnchor: key.columns[anchor] ?? '',
    parentAnchor: key.referencedColumns[anchor] ?? '',
  }
}

/**
 * Sets of columns of which no two rows have the same values. A partial index does not count, since rows may repeat outside its predicate, and
 * neither does one over expressions, which show as a second pair of parentheses.
 */
function uniqueSets(table: Table): readonly (readonly string[])[] {
  const plain = (definition: string): boolean => definition.split('(').length === 2
  const indexes = table.indexes.filter(
    index =>
      index.unique && index.valid && index.predicate === null && index.columns.length > 0 && plain(index.definition),
  )
  return [
    ...(table.primaryKey ? [table.primaryKey.columns] : []),
    ...table.uniqueKeys.map(key => key.columns),
    ...indexes.map(index => index.columns),
  ]
}

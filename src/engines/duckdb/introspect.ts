/** DuckDB's catalog as plain data. Names of constraints are DuckDB's own: it does not keep those that a script gives. */
import type { Check, Column, ForeignKey, Index, Key, Schema, Table, View } from '../../schema/model.ts'
import type { IntrospectOptions, Session } from '../engine.ts'
import {
  type ColumnRow,
  columnsText,
  type ConstraintRow,
  constraintsText,
  extensionsText,
  indexesText,
  type IndexRow,
  type MacroRow,
  macrosText,
  type RelationRow,
  type SchemaRow,
  schemasText,
  type SequenceRow,
  sequencesText,
  tablesText,
  type TypeRow,
  typesText,
  viewsText,
} from './catalog.ts'

export async function introspect(session: Session, options: IntrospectOptions): Promise<Schema> {
  const wanted = options.schemas ? new Set(options.schemas) : null
  const read = async <R extends { readonly schema_name: string }>(text: string): Promise<R[]> => {
    const { rows } = await session.query<R>(text)
    return rows.filter(row => (wanted ? wanted.has(row.schema_name) : row.schema_name !== 'plinth'))
  }
  const schemas = await read<SchemaRow>(schemasText)
  const tables = await read<RelationRow>(tablesText)
  const views = await read<RelationRow>(viewsText)
  const columns = grouped(await read<ColumnRow>(columnsText))
  const constraints = grouped(await read<ConstraintRow>(constraintsText))
  const indexes = grouped(await read<IndexRow>(indexesText))
  const types = await read<TypeRow>(typesText)
  const macros = await read<MacroRow>(macrosText)
  const sequences = await read<SequenceRow>(sequencesText)
  const extensions = (await session.query<{ name: string }>(extensionsText)).rows
  const of = <R>(groups: ReadonlyMap<string, readonly R[]>, row: RelationRow): readonly R[] =>
    groups.get(pathOf(row)) ?? []
  return {
    engine: 'duckdb',
    tables: tables.map(row => tableOf(row, of(columns, row), of(constraints, row), of(indexes, row))),
    views: views.map(row => viewOf(row, of(columns, row))),
    enums: types
      .filter(type => type.labels !== null)
      .map(type => ({
        schema: type.schema_name,
        name: type.type_name,
        comment: type.comment,
        values: type.labels ?? [],
      })),
    domains: types
      .filter(type => type.labels === null)
      .map(type => ({
        schema: type.schema_name,
        name: type.type_name,
        comment: type.comment,
        type: type.logical_type,
        definition: type.logical_type,
      })),
    routines: macros.map(macro => ({
      schema: macro.schema_name,
      name: macro.function_name,
      arguments: macro.arguments,
      kind: 'function',
      comment: macro.comment,
      definition: macro.macro_definition ?? '',
      securityDefiner: false,
      grants: [],
    })),
    sequences: sequences.map(sequence => ({
      schema: sequence.schema_name,
      name: sequence.sequence_name,
      definition: sequence.sql,
      ownedBy: null,
    })),
    schemas: schemas
      .filter(row => wanted !== null || row.schema_name !== 'main')
      .map(row => ({ name: row.schema_name, comment: row.comment, grants: [] })),
    extensions: extensions.map(extension => extension.name),
  }
}

function tableOf(
  row: RelationRow,
  columns: readonly ColumnRow[],
  constraints: readonly ConstraintRow[],
  indexes: readonly IndexRow[],
): Table {
  const named = uniquelyNamed(constraints)
  const primary = named.find(constraint => constraint.constraint_type === 'PRIMARY KEY')
  return {
    schema: row.schema_name,
    name: row.table_name,
    comment: row.comment,
    columns: columns.map(column => columnOf(column, generatedNames(row.sql))),
    primaryKey: primary ? keyOf(primary) : null,
    uniqueKeys: named.filter(constraint => constraint.constraint_type === 'UNIQUE').map(keyOf),
    foreignKeys: named.filter(constraint => constraint.constraint_type === 'FOREIGN KEY').map(foreignKeyOf),
    checks: named.filter(constraint => constraint.constraint_type === 'CHECK').map(checkOf),
    exclusions: [],
    indexes: indexes.map(indexOf),
    triggers: [],
    rowSecurity: { enabled: false, forced: false, policies: [] },
    partitioning: null,
    partitionOf: null,
    grants: [],
    options: [],
  }
}

function viewOf(row: RelationRow, columns: readonly ColumnRow[]): View {
  return {
    schema: row.schema_name,
    name: row.table_name,
    materialized: false,
    comment: row.comment,
    columns: columns.map(column => columnOf(column, none)),
    definition: row.sql,
    options: [],
    grants: [],
  }
}

function columnOf(row: ColumnRow, generated: ReadonlySet<string>): Column {
  const isGenerated = generated.has(row.column_name)
  return {
    name: row.column_name,
    type: row.data_type,
    nullable: row.is_nullable,
    default: isGenerated ? null : row.column_default,
    identity: null,
    generated: isGenerated ? row.column_default : null,
    collation: null,
    comment: row.comment,
  }
}

const none: ReadonlySet<string> = new Set()

/** The catalog shows a generated column's expression as its default; only the table's text tells the two apart. */
function generatedNames(createTable: string): ReadonlySet<string> {
  const columns = createTable.matchAll(
    /(?:"((?:[^"]|"")+)"|\b(\w+))\s+[^,"]*?(?:\([^()]*\)|\[\d*\])*\s*GENERATED ALWAYS AS/g,
  )
  return new Set([...columns].map(found => (found[1] ?? found[2] ?? '').replaceAll('""', '"')))
}

function keyOf(row: ConstraintRow): Key {
  return { name: row.constraint_name, columns: row.columns, qualifiers: '' }
}

/** DuckDB's foreign keys only ever restrict. */
function foreignKeyOf(row: ConstraintRow): ForeignKey {
  const target =
    /REFERENCES\s+((?:"(?:[^"]|"")+"|[^("\s])+)/.exec(row.constraint_text)?.[1]?.replaceAll('"', '') ??
    row.referenced_table ??
    ''
  return {
    name: row.constraint_name,
    columns: row.columns,
    references: target.includes('.') ? target : `${row.schema_name}.${target}`,
    referencedColumns: row.referenced_columns ?? [],
    onDelete: 'no action',
    onUpdate: 'no action',
    validated: true,
    deferrable: false,
  }
}

function checkOf(row: ConstraintRow): Check {
  return { name: row.constraint_name, definition: row.constraint_text, validated: true }
}

function indexOf(row: IndexRow): Index {
  return {
    name: row.index_name,
    definition: row.sql,
    columns: row.expressions
      .replace(/^\[|\]$/g, '')
      .split(/,\s*/)
      .map(name => name.replace(/^['"]+|['"]+$/g, '')),
    unique: row.is_unique,
    valid: true,
    predicate: null,
    constraint: false,
  }
}

/** DuckDB derives names from columns, so two checks of one column share a name; the second one gets a number. */
function uniquelyNamed(rows: readonly ConstraintRow[]): ConstraintRow[] {
  const seen = new Map<string, number>()
  return rows.map(row => {
    const count = (seen.get(row.constraint_name) ?? 0) + 1
    seen.set(row.constraint_name, count)
    return count === 1 ? row : { ...row, constraint_name: `${row.constraint_name}_${count}` }
  })
}

function pathOf(row: { readonly schema_name: string; readonly table_name: string }): string {
  return `${row.schema_name}.${row.table_name}`
}

function grouped<R extends { readonly schema_name: string; readonly table_name: string }>(
  rows: readonly R[],
): ReadonlyMap<string, readonly R[]> {
  const groups = new Map<string, R[]>()
  for (const row of rows) {
    const group = groups.get(pathOf(row))
    if (group) group.push(row)
    else groups.set(pathOf(row), [row])
  }
  return groups
}

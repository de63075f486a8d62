/** The questions to DuckDB's catalog and the shapes of their answers; every list in a stable order. */

export interface SchemaRow {
  readonly schema_name: string
  readonly comment: string | null
}

export interface RelationRow {
  readonly schema_name: string
  readonly table_name: string
  readonly comment: string | null
  readonly sql: string
}

export interface ColumnRow {
  readonly schema_name: string
  readonly table_name: string
  readonly column_name: string
  readonly data_type: string
  readonly is_nullable: boolean
  readonly column_default: string | null
  readonly comment: string | null
}

export interface ConstraintRow {
  readonly schema_name: string
  readonly table_name: string
  readonly constraint_name: string
  readonly constraint_type: string
  readonly constraint_text: string
  readonly columns: readonly string[]
  readonly referenced_table: string | null
  readonly referenced_columns: readonly string[] | null
}

export interface IndexRow {
  readonly schema_name: string
  readonly table_name: string
  readonly index_name: string
  readonly is_unique: boolean
  readonly expressions: string
  readonly sql: string
}

export interface TypeRow {
  readonly schema_name: string
  readonly type_name: string
  readonly logical_type: string
  readonly comment: string | null
  readonly labels: readonly string[] | null
}

export interface MacroRow {
  readonly schema_name: string
  readonly function_name: string
  readonly arguments: string
  readonly macro_definition: string | null
  readonly comment: string | null
}

export interface SequenceRow {
  readonly schema_name: string
  readonly sequence_name: string
  readonly sql: string
}

export const schemasText = `
  select schema_name, comment
  from duckdb_schemas()
  where not internal and database_name = current_database()
  order by schema_name`

export const tablesText = `
  select schema_name, table_name, comment, sql
  from duckdb_tables()
  where not internal and not temporary and database_name = current_database()
  order by schema_name, table_name`

export const viewsText = `
  select schema_name, view_name as table_name, comment, sql
  from duckdb_views()
  where not internal and not temporary and database_name = current_database()
  order by schema_name, view_name`

export const columnsText = `
  select schema_name, table_name, column_name, data_type, is_nullable, column_default, comment
  from duckdb_columns()
  where not internal and database_name = current_database()
  order by schema_name, table_name, column_index`

export const constraintsText = `
  select schema_name, table_name, constraint_name, constraint_type, constraint_text,
         constraint_column_names as columns, referenced_table, referenced_column_names as referenced_columns
  from duckdb_constraints()
  where database_name = current_database() and constraint_type <> 'NOT NULL'
  order by schema_name, table_name, constraint_name, constraint_text`

export const indexesText = `
  select schema_name, table_name, index_name, is_unique, expressions, sql
  from duckdb_indexes()
  where database_name = current_database()
  order by schema_name, table_name, index_name`

export const typesText = `
  select schema_name, type_name, logical_type, comment, labels
  from duckdb_types()
  where not internal and database_name = current_database()
  order by schema_name, type_name`

export const macrosText = `
  select schema_name, function_name, array_to_string(parameters, ', ') as arguments, macro_definition, comment
  from duckdb_functions()
  where not internal and database_name = current_database() and function_type in ('macro', 'table_macro')
  order by schema_name, function_name, arguments`

export const sequencesText = `
  select schema_name, sequence_name, sql
  from duckdb_sequences()
  where not temporary and database_name = current_database()
  order by schema_name, sequence_name`

export const extensionsText = `
  select extension_name as name
  from duckdb_extensions()
  where loaded and install_mode <> 'STATICALLY_LINKED' and extension_name not in ('core_functions', 'icu', 'json', 'parquet')
  order by name`

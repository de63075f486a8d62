import type { Other, Setting } from './others.ts'

export type { Other, Setting } from './others.ts'

/**
 * A database as plain data. Everything left of it fills it (an engine's `introspect.ts`), everything right of it reads it
 * (contract, drift, verify, lint, governance). Every list is sorted by name unless its order carries meaning, so that equal databases
 * give equal JSON. It holds no row, no secret, no object id and nothing that depends on the clock.
 */
export interface Schema {
  readonly engine: string
  readonly tables: readonly Table[]
  readonly views: readonly View[]
  readonly enums: readonly Enum[]
  readonly domains: readonly Domain[]
  readonly routines: readonly Routine[]
  readonly sequences: readonly Sequence[]
  readonly schemas: readonly Namespace[]
  readonly extensions: readonly string[]
  /** Comments on what has no place for one of its own; absent where the engine knows none. */
  readonly comments?: readonly Comment[]
  /** Absent where the engine knows no owners. */
  readonly owners?: Owners
  /** What new objects are granted; absent where the engine knows no such thing. */
  readonly defaultGrants?: readonly DefaultGrants[]
  /** What has no list of its own, such as rules and publications; absent where there are none or the engine knows none. */
  readonly others?: readonly Other[]
  /** What is not as usual of these and of all other objects; absent likewise. */
  readonly settings?: readonly Setting[]
}

/** A comment on an index, constraint, trigger, policy or sequence. */
export interface Comment {
  /** As differences name it, such as `index shop.orders_recent`. */
  readonly object: string
  /** As COMMENT ON names it, quoted. */
  readonly target: string
  /** Qualified name of its table; null for a sequence. */
  readonly table: string | null
  readonly name: string
  readonly text: string
}

export interface Owners {
  /** Of the database itself. */
  readonly database: string
  /** `object` is as differences name it. What a table owns, such as a serial's sequence, follows it and is left out. */
  readonly objects: readonly { readonly object: string; readonly schema: string; readonly role: string }[]
}

/** Privileges that objects have from the moment at which a role makes them. */
export interface DefaultGrants {
  /** Who makes the object. */
  readonly role: string
  /** Null for every schema: the grants then stand in the place of the engine's own. */
  readonly schema: string | null
  readonly kind: string
  readonly grants: readonly Grant[]
}

export interface Namespace {
  readonly name: string
  readonly comment: string | null
  readonly grants: readonly Grant[]
}

export interface Table {
  readonly schema: string
  readonly name: string
  readonly comment: string | null
  readonly columns: readonly Column[]
  readonly primaryKey: Key | null
  readonly uniqueKeys: readonly Key[]
  readonly foreignKeys: readonly ForeignKey[]
  readonly checks: readonly Check[]
  readonly exclusions: readonly Check[]
  readonly indexes: readonly Index[]
  readonly triggers: readonly Trigger[]
  readonly rowSecurity: RowSecurity
  /** Null for an ordinary table. */
  readonly partitioning: Partitioning | null
  /** For a table that is itself a partition: its parent and bounds. Partitions of partitions are listed too. */
  readonly partitionOf: { readonly parent: string; readonly bounds: string } | null
  readonly grants: readonly Grant[]
  /** Storage parameters as `name=value`. */
  readonly options: readonly string[]
}

export interface Column {
  readonly name: string
  /** As the engine prints it, such as `character varying(40)` or `DECIMAL(18,6)`. */
  readonly type: string
  readonly nullable: boolean
  /** The default's expression, or null. */
  readonly default: string | null
  readonly identity: 'always' | 'by default' | null
  /** The expression of a generated column, or null. */
  readonly generated: string | null
  readonly collation: string | null
  readonly comment: string | null
}

export interface Key {
  readonly name: string
  readonly columns: readonly string[]
  /** The rest of the definition where it is not plain, such as `nulls not distinct` or `deferrable`; else empty. */
  readonly qualifiers: string
}

export interface ForeignKey {
  readonly name: string
  readonly columns: readonly string[]
  /** Qualified name of the table it points to. */
  readonly references: string
  readonly referencedColumns: readonly string[]
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
  readonly validated: boolean
  readonly deferrable: boolean
  readonly initiallyDeferred?: true
  /** Either all of its columns are null or none. */
  readonly matchFull?: true
  /** Its last column is a period that the other table's rows cover. */
  readonly period?: true
  /** Of its columns those that a delete sets; absent for all. */
  readonly onDeleteColumns?: readonly string[]
  /** The server holds no row to it. */
  readonly enforced?: false
}

export type ReferentialAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default'

export interface Check {
  readonly name: string
  readonly definition: string
  readonly validated: boolean
  /** The server holds no row to it. */
  readonly enforced?: false
}

export interface Index {
  readonly name: string
  readonly definition: string
  readonly columns: readonly string[]
  readonly unique: boolean
  readonly valid: boolean
  /** The predicate of a partial index, or null. */
  readonly predicate: string | null
  /** True when a primary key, unique or exclusion constraint owns it. */
  readonly constraint: boolean
}

export interface Trigger {
  readonly name: string
  readonly definition: string
  readonly enabled: boolean
}

export interface RowSecurity {
  readonly enabled: boolean
  readonly forced: boolean
  readonly policies: readonly Policy[]
}

export interface Policy {
  readonly name: string
  readonly command: 'all' | 'select' | 'insert' | 'update' | 'delete'
  readonly permissive: boolean
  readonly roles: readonly string[]
  readonly using: string | null
  readonly withCheck: string | null
}

export interface Partitioning {
  readonly strategy: 'range' | 'list' | 'hash'
  readonly key: string
}

export interface Grant {
  readonly role: string
  /** Lower case and sorted, such as `select`; a column grant is `select (a, b)`. */
  readonly privileges: readonly string[]
}

export interface View {
  readonly schema: string
  readonly name: string
  readonly materialized: boolean
  readonly comment: string | null
  readonly columns: readonly Column[]
  readonly definition: string
  readonly options: readonly string[]
  readonly grants: readonly Grant[]
}

export interface Enum {
  readonly schema: string
  readonly name: string
  readonly comment: string | null
  /** In sort order, which carries meaning. */
  readonly values: readonly string[]
}

export interface Domain {
  readonly schema: string
  readonly name: string
  readonly comment: string | null
  readonly type: string
  readonly definition: string
}

export interface Routine {
  readonly schema: string
  readonly name: string
  /** Identity arguments, so that overloads differ. */
  readonly arguments: string
  readonly kind: 'function' | 'procedure' | 'aggregate' | 'window'
  readonly comment: string | null
  readonly definition: string
  readonly securityDefiner: boolean
  readonly grants: readonly Grant[]
}

export interface Sequence {
  readonly schema: string
  readonly name: string
  readonly definition: string
  /** `schema.table.column` that owns it, or null. */
  readonly ownedBy: string | null
  /** Absent where the engine grants none. */
  readonly grants?: readonly Grant[]
}

/** Qualified name as the model spells it everywhere. */
export function qualified(object: { readonly schema: string; readonly name: string }): string {
  return `${object.schema}.${object.name}`
}

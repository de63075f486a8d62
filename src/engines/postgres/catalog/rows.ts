/** What the questions in this folder answer, a list a question. */
import type { Comment } from '../../../schema/model.ts'

export interface CatalogRows {
  readonly namespaces: readonly (Commented & { readonly name: string; readonly acl: Acl })[]
  readonly extensions: readonly { readonly name: string }[]
  readonly tables: readonly TableRow[]
  readonly views: readonly (Named & {
    readonly oid: number
    readonly materialized: boolean
    readonly definition: string
    readonly options: readonly string[]
    readonly acl: Acl
  })[]
  readonly columns: readonly ColumnRow[]
  readonly constraints: readonly ConstraintRow[]
  readonly indexes: readonly IndexRow[]
  readonly triggers: readonly {
    readonly table: number
    readonly name: string
    readonly definition: string
    readonly enabled: boolean
  }[]
  readonly policies: readonly PolicyRow[]
  readonly enums: readonly (Named & { readonly values: readonly string[] })[]
  readonly domains: readonly (Named & { readonly type: string; readonly definition: string })[]
  readonly routines: readonly RoutineRow[]
  readonly sequences: readonly (Named & {
    readonly definition: string
    readonly ownedBy: string | null
    readonly acl: Acl
  })[]
  readonly comments: readonly Comment[]
  readonly owners: readonly { readonly object: string; readonly schema: string; readonly role: string }[]
  readonly database: readonly { readonly owner: string }[]
  readonly defaults: readonly {
    readonly role: string
    readonly schema: string | null
    readonly kind: string
    readonly acl: Acl
  }[]
}

interface Commented {
  readonly comment: string | null
}

interface Named extends Commented {
  readonly schema: string
  readonly name: string
}

/** One entry a privilege of a role; the owner's own are left out, since owners differ between servers. */
export type Acl = readonly { readonly role: string; readonly privilege: string }[] | null

export interface TableRow extends Named {
  readonly oid: number
  readonly options: readonly string[]
  readonly secured: boolean
  readonly forced: boolean
  readonly partitionKey: string | null
  readonly parent: string | null
  readonly bounds: string | null
  readonly acl: Acl
}

export interface ColumnRow extends Commented {
  readonly table: number
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly expression: string | null
  readonly generated: string
  readonly identity: string
  readonly collation: string | null
  /** Something of how it is kept is not as usual. */
  readonly odd: boolean
  readonly acl: Acl
}

export interface ConstraintRow {
  readonly table: number
  readonly name: string
  readonly kind: 'p' | 'u' | 'f' | 'c' | 'x'
  readonly columns: readonly string[]
  readonly definition: string
  readonly validated: boolean
  readonly enforced: boolean
  readonly deferrable: boolean
  readonly deferred: boolean
  readonly nullsNotDistinct: boolean
  readonly included: readonly string[]
  readonly references: string | null
  readonly referencedColumns: readonly string[]
  readonly onDelete: string
  readonly onDeleteColumns: readonly string[]
  readonly match: string
  readonly period: boolean
  readonly onUpdate: string
}

export interface IndexRow {
  readonly table: number
  readonly name: string
  readonly definition: string
  readonly columns: readonly string[]
  readonly unique: boolean
  readonly valid: boolean
  readonly predicate: string | null
  readonly constraint: boolean
}

export interface PolicyRow {
  readonly table: number
  readonly name: string
  readonly command: string
  readonly permissive: boolean
  readonly roles: readonly string[]
  readonly using: string | null
  readonly withCheck: string | null
}

export interface RoutineRow extends Named {
  readonly arguments: string
  readonly kind: string
  readonly definition: string
  readonly securityDefiner: boolean
  readonly acl: Acl
}

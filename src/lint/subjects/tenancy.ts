/** Who belongs to a tenant, by what the team declares. */
import { type Policy, qualified, type Schema, type Table } from '../../schema/model.ts'
import type { CatalogView, Settings } from '../rule.ts'

/** Tables that hold tenants' rows: they have the tenant column and are not declared as shared. Partitions are left out. */
export function tenantTables({ schema, settings }: Pick<CatalogView, 'schema' | 'settings'>): readonly Table[] {
  return schema.tables.filter(table => table.partitionOf === null && isTenants(table, settings))
}

export function isTenants(table: Table, settings: Settings): boolean {
  const { tenantColumn } = settings
  return tenantColumn !== null && !isShared(table, settings) && hasColumn(table, tenantColumn)
}

/** Declared as shared, or the table of tenants itself. */
export function isShared(table: Table, { sharedTables, tenantTable }: Settings): boolean {
  const name = qualified(table)
  return name === tenantTable || Object.hasOwn(sharedTables, name)
}

export function hasColumn(table: Table, name: string): boolean {
  return table.columns.some(column => column.name === name)
}

/** Whether an expression names the column, as a whole word outside of literals. */
export function mentions(expression: string | null, column: string): boolean {
  if (expression === null) return false
  const words = expression.replaceAll(/'(?:[^']|'')*'/g, "''")
  return new RegExp(`(?<![\\w$])"?${column.replaceAll(/[.*+?^$()[\]{}|\\]/g, '\\$&')}"?(?![\\w$(])`).test(words)
}

/** Lets every row through. */
export function isAlwaysTrue(expression: string | null): boolean {
  const bare = (expression ?? '').replaceAll(/[()\s]/g, '').toLowerCase()
  return bare === 'true' || /^(\d+)=\1$/.test(bare)
}

/** A condition with alternatives, which lets more rows be read than one's own. */
export function letsMoreIn(using: string | null): boolean {
  return / OR | IS NULL/.test((using ?? '').replaceAll(/'(?:[^']|'')*'/g, "''"))
}

/** Names that policies of the schema compare with a value, such as the column that tells tenants apart where none is declared. */
export function columnsOfPolicies(schema: Schema): ReadonlySet<string> {
  return new Set(
    schema.tables.flatMap(table => table.rowSecurity.policies.flatMap(policy => comparedIn(policy, table))),
  )
}

/** Columns of the table that the policy compares with something that is not of the row. */
export function comparedIn({ using, withCheck }: Policy, table: Table): readonly string[] {
  const compared = [using, withCheck].flatMap(expression => [
    ...[...(expression ?? '').matchAll(comparedLeft)].map(match => match[1] ?? ''),
    ...[...(expression ?? '').matchAll(comparedRight)].map(match => match[1] ?? ''),
  ])
  return table.columns.map(column => column.name).filter(name => compared.includes(name))
}

// PostgreSQL prints `((tenant_id)::text = …)`, `(tenant_id IN ( SELECT …))` and, as it was written, `(… = tenant_id)`.
const comparedLeft = /(?<![\w$.])"?([\w$]+)"?\)?(?:::[\w ]+?)?\)? (?:= |IN \()/g
const comparedRight = / = \(?"?([\w$]+)"?(?:\)?::[\w ]+)?\)/g

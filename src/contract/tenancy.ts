/** Which column of each table says whose row it is. Read from the policies, so that the answer is what the database enforces. */
import { qualified, type Schema, type Table } from '../schema/model.ts'
import { compare } from './fold.ts'

/** The tenant's column of a table, or null for a table that all tenants share. */
export type TenantOf = (table: Table) => string | null

/**
 * A table's tenant column is the one that its policies compare with a setting or function. Where there are no policies, as in a warehouse, it is
 * the column of the name that most policies use, or `given` when the project names it.
 */
export function tenancyOf(schemas: readonly Schema[], given?: string): TenantOf {
  const found = new Map<string, string>()
  const votes = new Map<string, number>()
  for (const table of schemas.flatMap(schema => schema.tables)) {
    const column = enforced(table)
    if (column === null) continue
    found.set(qualified(table), column)
    votes.set(column, (votes.get(column) ?? 0) + 1)
  }
  const usual = given ?? [...votes].sort(([a, countA], [b, countB]) => countB - countA || compare(a, b))[0]?.[0]
  return table =>
    found.get(qualified(table)) ?? (table.columns.some(column => column.name === usual) ? (usual ?? null) : null)
}

function enforced(table: Table): string | null {
  if (!table.rowSecurity.enabled) return null
  const conditions = table.rowSecurity.policies
    .flatMap(policy => [policy.using, policy.withCheck])
    .filter(condition => condition !== null)
  const compared = table.columns.map(column => ({
    name: column.name,
    uses: conditions.filter(condition => comparesWithCall(condition, column.name)).length,
  }))
  return compared.filter(({ uses }) => uses > 0).sort((a, b) => b.uses - a.uses)[0]?.name ?? null
}

/** `organization_id = platform.current_organization_id()`, either way round, with any parentheses and casts. */
function comparesWithCall(condition: string, column: string): boolean {
  const name = `"?\\b${column.replace(/[$]/g, '\\$')}\\b"?`
  const call = `\\(*\\s*(?:select\\s+)?(?:"?[\\w$]+"?\\.)?"?[\\w$]+"?\\(`
  return (
    new RegExp(`${name}\\)*(?:::[\\w ]+)?\\s*=\\s*${call}`, 'i').test(condition) ||
    new RegExp(`\\)(?:::[\\w ]+)?\\s*\\)*\\s*=\\s*\\(*${name}`, 'i').test(condition)
  )
}

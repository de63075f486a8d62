/** Writes without a condition, and conditions that are true for every row, whatever it holds. */
import { dottedName, type Fields, listOf, openNode, textOf, walk } from '../sql/tree.ts'
import type { StatementView } from './rule.ts'

/** The statement itself or those in its `with`, where they are of that kind; an `explain` counts when it runs them. */
export function writesWithin(
  { statement, fields }: StatementView,
  kind: 'DeleteStmt' | 'UpdateStmt',
): readonly Fields[] {
  const found = statement.kind === kind ? [fields] : []
  const inner =
    statement.kind === 'ExplainStmt' && /\banalyze\b/i.test(statement.text) ? fields['query'] : fields['withClause']
  walk(inner, (within, own) => {
    if (within === kind) found.push(own)
  })
  return found
}

export function isTautology(condition: unknown): boolean {
  const [kind, fields] = openNode(condition)
  if (kind === 'A_Const') return (fields['boolval'] as { boolval?: boolean } | undefined)?.boolval === true
  if (kind === 'TypeCast') return isTautology(fields['arg'])
  if (kind === 'BoolExpr') {
    const parts = listOf(fields, 'args')
    if (textOf(fields, 'boolop') === 'OR_EXPR') return parts.some(isTautology)
    return textOf(fields, 'boolop') === 'AND_EXPR' && parts.every(isTautology)
  }
  if (kind !== 'A_Expr' || !/^(=|>=|<=)$/.test(dottedName(fields['name']))) return false
  return withoutPlaces(fields['lexpr']) === withoutPlaces(fields['rexpr'])
}

/** A column is equal to itself unless it is null, which the author of `id = id` hardly means. */
function withoutPlaces(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => (key === 'location' ? undefined : value)) ?? ''
}

/** Writes without a condition, and conditions that are true for every row, whatever it holds. */
import { composedName } from '../sql/block.ts'
import { dottedName, type Fields, fieldsOf, listOf, openNode, relationName, textOf, walk } from '../sql/tree.ts'
import { targetOf } from './alter.ts'
import { isSame } from './catalog.ts'
import type { StatementView } from './rule.ts'
import { inUse, locksSeen } from './use.ts'

export interface Write {
  readonly fields: Fields
  /** Where a block runs it. */
  readonly range?: { readonly start: number; readonly end: number }
}

/** The statement itself, those in its `with` and those that a block runs, where they are of that kind; an `explain` counts when it runs them. */
export function writesWithin(
  { statement, fields }: StatementView,
  kind: 'DeleteStmt' | 'UpdateStmt',
): readonly Write[] {
  const own = writesOf(statement.kind, fields, kind, /\banalyze\b/i.test(statement.text))
  const inner = statement.inner.flatMap(({ tree, place }) =>
    writesOf(...openNode(tree), kind, true).map(write => (place ? { fields: write, range: place } : { fields: write })),
  )
  return [...own.map(write => ({ fields: write })), ...inner]
}

export function placeOf({ range }: Write): Pick<Write, 'range'> {
  return range ? { range } : {}
}

function writesOf(own: string, fields: Fields, kind: string, explainRuns: boolean): readonly Fields[] {
  const found = own === kind ? [fields] : []
  const within = own === 'ExplainStmt' && explainRuns ? fields['query'] : fields['withClause']
  walk(within, (one, its) => {
    if (one === kind) found.push(its)
  })
  return found
}

/**
 * The tables of which it writes every row, in use. One that a block makes itself is not; where a block composes the name, they are those that were
 * seen to be read from end to end and written.
 */
export function allWritten(view: StatementView, { fields }: Write): readonly string[] {
  const where = fields['whereClause']
  if (where !== undefined && !isTautology(where)) return []
  const written = targetOf({ fields })
  if (view.statement.inner.some(({ tree }) => makes(...openNode(tree), written))) return []
  if (!written.split('.').includes(composedName)) return [inUse(view, written) ?? []].flat()
  return locksSeen(view, 'RowExclusiveLock').filter(table => view.seen?.scans.includes(table))
}

function makes(kind: string, fields: Fields, written: string): boolean {
  if (kind === 'CreateStmt') return isSame(targetOf({ fields }), written)
  return kind === 'CreateTableAsStmt' && isSame(relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel')), written)
}

export function isTautology(condition: unknown): boolean {
  const [kind, fields] = openNode(condition)
  if (kind === 'A_Const') return (fields['boolval'] as { boolval?: boolean } | undefined)?.boolval === true
  if (kind === 'TypeCast') return isTautology(fields['arg'])
  if (kind === 'BoolExpr') {
    const parts = listOf(fields, 'args')
    if (textOf(fields, 'boolop') === 'NOT_EXPR') return parts.every(isFalse)
    if (textOf(fields, 'boolop') === 'OR_EXPR') return parts.some(isTautology)
    return textOf(fields, 'boolop') === 'AND_EXPR' && parts.every(isTautology)
  }
  if (kind !== 'A_Expr' || !/^(=|>=|<=)$/.test(dottedName(fields['name']))) return false
  return withoutPlaces(fields['lexpr']) === withoutPlaces(fields['rexpr'])
}

function isFalse(condition: unknown): boolean {
  const [kind, fields] = openNode(condition)
  return kind === 'A_Const' && 'boolval' in fields && fieldsOf(fields, 'boolval')['boolval'] !== true
}

/** A column is equal to itself unless it is null, which the author of `id = id` hardly means. */
function withoutPlaces(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => (key === 'location' ? undefined : value)) ?? ''
}

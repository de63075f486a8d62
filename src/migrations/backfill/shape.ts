/** Which statements mean the same when they run piece by piece, in the order of a key. Pure: reads the parser's tree. */
import type { Statement } from '../../sql/parse.ts'
import { type Fields, fieldsOf, listOf, openNode, quotedRelation, relationName, textOf, walk } from '../../sql/tree.ts'

/** The table whose key cuts a statement into batches. */
export interface Driver {
  /** Quoted and as far qualified as written. */
  readonly table: string
  /** As written, for people. */
  readonly name: string
  /** What its columns are called by in the statement, quoted. */
  readonly alias: string
  /** Columns of the driver that the statement sets; a key among them would run ahead of its own batches. */
  readonly sets: readonly string[]
}

/** True for what a file with `batch` cuts into pieces; other statements of such a file run whole. */
export function isBatchable({ kind, tree }: Statement): boolean {
  if (kind === 'UpdateStmt' || kind === 'DeleteStmt' || kind === 'MergeStmt') return true
  return (
    kind === 'InsertStmt' && listOf(openNode(fieldsOf(openNode(tree)[1], 'selectStmt'))[1], 'valuesLists').length === 0
  )
}

/** Why the statement cannot be cut, as half a sentence; null when it can, or need not be. */
export function describeUnbatchable(statement: Statement): string | null {
  if (statement.tree === null) return 'only PostgreSQL has batches'
  if (!isBatchable(statement)) return null
  const [kind, fields] = openNode(statement.tree)
  if (kind === 'MergeStmt') return 'a merge has no single table to follow'
  if (fields['withClause'] !== undefined) return 'its "with" would be computed again for every batch'
  if (listOf(fields, 'returningList').length > 0 || fields['returningClause'] !== undefined)
    return 'nobody reads what it returns'
  if (textOf(fieldsOf(fieldsOf(fields, 'whereClause'), 'CurrentOfExpr'), 'cursor_name')) return 'it follows a cursor'
  const select = kind === 'InsertStmt' ? openNode(fields['selectStmt'])[1] : null
  const reason = select ? describeSelect(select) : null
  if (reason) return reason
  const driver = driverOf(statement)
  if (!driver) return 'the table that it reads first is no plain table'
  const target = relationName(fieldsOf(fields, 'relation'))
  if (textOf(fieldsOf(fields, 'onConflictClause'), 'action') === 'ONCONFLICT_UPDATE')
    return `nobody would keep the rows of ${target} that it overwrites`
  if (timesNamed(statement.tree, driver.name) > 1 || (select && timesNamed(fields['selectStmt'], target) > 0))
    return `it reads ${select ? target : driver.name} again, so that a batch would see what earlier ones did`
  return null
}

/** Undefined when the statement has no plain table to follow. */
export function driverOf({ kind, tree }: Statement): Driver | undefined {
  const [, fields] = openNode(tree)
  if (kind === 'InsertStmt') {
    const from = leftmost(listOf(openNode(fields['selectStmt'])[1], 'fromClause')[0])
    return from && readDriver(from, [])
  }
  const sets = listOf(fields, 'targetList').map(target => textOf(openNode(target)[1], 'name'))
  return readDriver(fieldsOf(fields, 'relation'), kind === 'UpdateStmt' ? sets : [])
}

function readDriver(relation: Fields, sets: readonly string[]): Driver | undefined {
  const name = relationName(relation)
  if (name === '') return undefined
  const alias = textOf(fieldsOf(relation, 'alias'), 'aliasname') || textOf(relation, 'relname')
  return { table: quotedRelation(relation), name, alias: `"${alias.replaceAll('"', '""')}"`, sets }
}

/** A row of the result must come from one row of the driver, whatever the other rows are. */
function describeSelect(select: Fields): string | null {
  if (!/^(SETOP_NONE)?$/.test(textOf(select, 'op'))) return 'a union has no single table to follow'
  if (select['withClause'] !== undefined) return 'its "with" would be computed again for every batch'
  const whole = [
    ['groupClause', 'groups'],
    ['distinctClause', 'compares'],
    ['havingClause', 'groups'],
    ['windowClause', 'compares'],
    ['sortClause', 'orders'],
    ['limitCount', 'counts'],
    ['limitOffset', 'counts'],
    ['lockingClause', 'locks'],
  ].find(([clause = '']) => select[clause] !== undefined)
  if (whole) return `it ${whole[1]} rows across batches`
  if (listOf(select, 'fromClause').length === 0) return 'it reads no table'
  let reason: string | null = null
  walk(listOf(select, 'fromClause'), (kind, fields) => {
    if (kind === 'JoinExpr' && /RIGHT|FULL/.test(textOf(fields, 'jointype')))
      reason = 'its join keeps rows of the other table'
  })
  walk(listOf(select, 'targetList'), (kind, fields) => {
    const name =
      kind === 'FuncCall'
        ? listOf(fields, 'funcname')
            .map(part => textOf(openNode(part)[1], 'sval'))
            .at(-1)
        : ''
    if (fields['over'] !== undefined || fields['agg_star'] === true || aggregates.has(name ?? ''))
      reason = 'it counts or compares rows across batches'
  })
  return reason
}

/** An aggregate of the user's own is not known by name; the parser's tree does not say what a function is. */
const aggregates: ReadonlySet<string> = new Set(
  'count sum avg min max array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg bool_and bool_or every bit_and bit_or'.split(
    ' ',
  ),
)

function leftmost(node: unknown): Fields | undefined {
  const [kind, fields] = openNode(node)
  if (kind === 'JoinExpr') return leftmost(fields['larg'])
  return kind === 'RangeVar' ? fields : undefined
}

function timesNamed(tree: unknown, name: string): number {
  const last = (text: string) => text.slice(text.lastIndexOf('.') + 1)
  let count = 0
  // The relation of an update or delete is the range variable's fields themselves, those of a from list are nodes.
  walk(tree, (kind, fields) => {
    if (/^(Update|Delete)Stmt$/.test(kind) && last(relationName(fieldsOf(fields, 'relation'))) === last(name)) count++
    if (kind === 'RangeVar' && last(relationName(fields)) === last(name)) count++
  })
  return count
}

/** How heavy a statement is for others: which tables it shuts, and whether it works through their rows. Seen, else read from its text. */
import { dottedName, listOf, openNode, relationName, textOf, walk } from '../sql/tree.ts'
import { alterations, constraintsAdded, targetOf } from './alter.ts'
import { once } from './once.ts'
import type { FileView, StatementView } from './rule.ts'
import { shareTransaction } from './transactions.ts'
import { dropped, dropsSeen, inUse, locksSeen } from './use.ts'

/** Tables in use that it locks against readers, by full name where that is known. */
export function tablesShut(view: StatementView): readonly string[] {
  const names = view.seen ? locksSeen(view, 'AccessExclusiveLock') : shutByText(view)
  if (names.length === 0) return []
  // Nobody waits for a table that is gone.
  const gone = new Set(dropsSeen(view, 'table').map(({ name }) => name))
  return [...new Set(names.flatMap(name => inUse(view, name) ?? []))].filter(name => !gone.has(name))
}

/** What earlier statements of the same transaction hold shut, in order. */
export function locksHeld(
  view: StatementView,
): readonly { readonly by: StatementView; readonly tables: readonly string[] }[] {
  const { file, statement } = view
  return shuttingIn(file).filter(({ by }) => by.statement.index < statement.index && shareTransaction(by, view))
}

const shuttingIn = once((file: FileView) =>
  file.statements.flatMap(by => {
    const tables = tablesShut(by)
    return tables.length === 0 ? [] : [{ by, tables }]
  }),
)

/** Tables in use whose rows it works through, from end to end as far as anybody can tell. */
export function tablesWorked(view: StatementView): readonly string[] {
  if (view.seen) return view.seen.scans
  const names = workedByText(view)
  return names.length === 0 ? [] : [...new Set(names.flatMap(name => inUse(view, name) ?? []))]
}

/** Commands of `alter table` that lock less than `ACCESS EXCLUSIVE`, and what only reads rows under such a lock. */
const light =
  /^(ValidateConstraint|SetStatistics|SetOptions|ResetOptions|ReplaceRelOptions|AttachPartition|ClusterOn|DropCluster|(En|Dis)able(Always|Replica)?Trig.*)$/

/** Those that shut a table by what their text says. */
export const shuttingKinds = [
  'AlterTableStmt',
  'RenameStmt',
  'AlterObjectSchemaStmt',
  'CreatePolicyStmt',
  'AlterPolicyStmt',
  'RuleStmt',
  'ClusterStmt',
  'TruncateStmt',
  'LockStmt',
  'DropStmt',
]

function shutByText(view: StatementView): readonly string[] {
  const { statement, fields } = view
  const listed = () => listOf(fields, 'relations').map(node => relationName(openNode(node)[1]))
  switch (statement.kind) {
    case 'AlterTableStmt':
      return alterations(view).some(one => !light.test(one.kind) && one.definition['contype'] !== 'CONSTR_FOREIGN')
        ? [targetOf(view)]
        : []
    case 'RenameStmt':
    case 'AlterObjectSchemaStmt':
    case 'CreatePolicyStmt':
    case 'AlterPolicyStmt':
    case 'RuleStmt':
    case 'ClusterStmt':
      return [targetOf(view)]
    case 'TruncateStmt':
      return listed()
    case 'LockStmt':
      return fields['mode'] === 8 ? listed() : []
    case 'DropStmt':
      return ['TRIGGER', 'POLICY', 'RULE'].flatMap(type =>
        dropped(view, type).map(name => name.replace(/\.[^.]*$/, '')),
      )
    default:
      return []
  }
}

function workedByText(view: StatementView): readonly string[] {
  const { statement, fields } = view
  switch (statement.kind) {
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      return isPicky(fields['whereClause']) ? [] : [targetOf(view)]
    case 'InsertStmt':
    case 'CreateTableAsStmt':
      return sourcesOf(fields['selectStmt'] ?? fields['query'])
    case 'IndexStmt':
      return fields['concurrent'] === true ? [] : [targetOf(view)]
    case 'AlterTableStmt':
      return isWorking(view) ? [targetOf(view)] : []
    default:
      return []
  }
}

function isWorking(view: StatementView): boolean {
  return (
    alterations(view).some(({ kind }) => kind === 'ValidateConstraint' || kind === 'SetNotNull') ||
    constraintsAdded(view).some(one => !one.notValid && !one.usingIndex && !(one.inline && one.type !== 'check'))
  )
}

/** Columns are compared with values, so that an index may find the few rows that are meant. */
function isPicky(where: unknown): boolean {
  let picky = false
  walk(where, (kind, fields) => {
    if (kind === 'A_Expr' && /^AEXPR_(OP|IN)$/.test(textOf(fields, 'kind')) && dottedName(fields['name']) === '=') {
      const [left] = openNode(fields['lexpr'])
      const [right] = openNode(fields['rexpr'])
      if ((left === 'ColumnRef') !== (right === 'ColumnRef')) picky = true
    }
  })
  return picky
}

function sourcesOf(query: unknown): readonly string[] {
  if (listOf(openNode(query)[1], 'valuesLists').length > 0) return []
  const names: string[] = []
  let picky = false
  walk(query, (kind, fields) => {
    if (kind === 'RangeVar') names.push(relationName(fields))
    if (kind === 'SelectStmt' && (isPicky(fields['whereClause']) || fields['limitCount'] !== undefined)) picky = true
  })
  return picky ? [] : names
}

import { listOf, openNode, textOf } from '../../sql/tree.ts'
import { columnsAdded, targetOf } from '../alter.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { isTautology, writesWithin } from '../tautology.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-update-all',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['UpdateStmt', 'SelectStmt', 'InsertStmt', 'DeleteStmt', 'ExplainStmt'],
  title: 'An update without a condition overwrites every row',
  why: `Without a \`where\`, or with one that is true for every row, the old values of all rows are overwritten; most often a condition was
forgotten. An apply keeps the old values in the archive. Columns that the same file adds hold nothing yet.`,
  instead: 'Say in a `where` which rows are meant, such as `where <column> is null` for a backfill.',
  examples: {
    bad: [
      {
        title: 'no condition',
        before: 'create table users (id bigint, state text);',
        up: "update users set state = 'new';",
      },
      {
        title: 'a condition that is always true',
        before: 'create table users (id bigint, state text);',
        up: "update users set state = 'new' where true;",
      },
    ],
    good: [
      {
        title: 'with a condition',
        before: 'create table users (id bigint, state text);',
        up: "update users set state = 'new' where state is null;",
      },
      {
        title: 'a column that the file adds',
        before: 'create table users (id bigint);',
        up: "-- plinth: transaction=statement\nalter table users add column state text;\nupdate users set state = 'new';",
      },
    ],
  },
  *check(view) {
    for (const fields of writesWithin(view, 'UpdateStmt')) {
      const where = fields['whereClause']
      const table = where === undefined || isTautology(where) ? inUse(view, targetOf({ fields })) : null
      if (table === null) continue
      const columns = listOf(fields, 'targetList')
        .map(node => textOf(openNode(node)[1], 'name'))
        .filter(column => !isAddedHere(view, table, column))
      if (columns.length > 0)
        yield { message: `${columns.join(', ')} of every row of ${sized(view, table)} is overwritten.`, object: table }
    }
  },
}

function isAddedHere({ file, statement }: StatementView, table: string, column: string): boolean {
  return statementsOf(file, 'AlterTableStmt').some(
    earlier =>
      earlier.statement.index < statement.index &&
      isSame(table, targetOf(earlier)) &&
      columnsAdded(earlier).some(({ name }) => name === column),
  )
}

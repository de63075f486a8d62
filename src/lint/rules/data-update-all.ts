import { listOf, openNode, textOf } from '../../sql/tree.ts'
import { columnsAdded, targetOf } from '../alter.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { allWritten, placeOf, writesWithin } from '../tautology.ts'
import { statementsOf } from '../transactions.ts'
import { sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-update-all',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['UpdateStmt', 'SelectStmt', 'InsertStmt', 'DeleteStmt', 'ExplainStmt', 'DoStmt'],
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
      {
        title: 'within a block',
        before: 'create table users (id bigint, state text);',
        up: "do $$ begin for i in 1..1 loop update users set state = case when id > 0 then 'new' else 'old' end; end loop; end $$;",
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
      {
        title: 'a column that the same block adds',
        before: 'create table users (id bigint);',
        up: "do $$ begin alter table users add column state text; update users set state = 'new'; end $$;",
      },
    ],
  },
  *check(view) {
    for (const write of writesWithin(view, 'UpdateStmt')) {
      for (const table of allWritten(view, write)) {
        const columns = listOf(write.fields, 'targetList')
          .map(node => textOf(openNode(node)[1], 'name'))
          .filter(column => !isAddedHere(view, table, column))
        if (columns.length === 0) continue
        const message = `${columns.join(', ')} of every row of ${sized(view, table)} is overwritten.`
        yield { message, object: table, ...placeOf(write) }
      }
    }
  },
}

function isAddedHere(view: StatementView, table: string, column: string): boolean {
  const { file, statement, seen } = view
  if (
    seen?.changes.some(
      ({ action, kind, name }) => action === 'create' && kind === 'column' && name === `${table}.${column}`,
    )
  )
    return true
  const inBlock = statement.inner.flatMap(({ tree }) => {
    const [kind, fields] = openNode(tree)
    return kind === 'AlterTableStmt' ? [{ fields, statement: { ...statement, kind }, known: [] }] : []
  })
  const earlier = statementsOf(file, 'AlterTableStmt').filter(one => one.statement.index < statement.index)
  return [...earlier, ...inBlock].some(
    one => isSame(table, targetOf(one)) && columnsAdded(one).some(({ name }) => name === column),
  )
}

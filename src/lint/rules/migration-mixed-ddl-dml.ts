import type { StatementRule, StatementView } from '../rule.ts'
import { shareTransaction, statementsOf } from '../transactions.ts'
import { inUse, sized } from '../use.ts'
import { locksHeld, tablesShut } from '../weight.ts'

export const rule: StatementRule = {
  name: 'migration-mixed-ddl-dml',
  category: 'migrations',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt', 'DropStmt', 'RenameStmt', 'TruncateStmt', 'CreatePolicyStmt'],
  title: 'A table is changed in the transaction that changed rows before',
  why: `The rows stay locked while the statement waits for its lock, which may be long; and PostgreSQL refuses to alter a table whose rows were
changed while checks or triggers of them are deferred (SQLSTATE 55006, "pending trigger events").`,
  instead: 'Write one file for the rows and one for the table.',
  examples: {
    bad: [
      {
        title: 'rows, then the table',
        before: 'create table users (id bigint primary key, state text);',
        up: "update users set state = 'new' where state is null;\nalter table users alter column state set default 'new';",
      },
    ],
    good: [
      {
        title: 'rows alone',
        before: 'create table users (id bigint primary key, state text);',
        up: "update users set state = 'new' where state is null;",
      },
      {
        title: 'rows of a table of the same file',
        before: 'create table users (id bigint primary key);',
        up: 'create table states (name text);\ninsert into states values ($$new$$);\nalter table users add column state text;',
      },
    ],
  },
  *check(view) {
    if (view.statement.index === 0) return
    const [table] = tablesShut(view)
    if (table === undefined || locksHeld(view).some(({ tables }) => tables.includes(table))) return
    for (const earlier of writes(view)) {
      const { tables, line } = earlier.statement
      const changed = tables.map(name => inUse(earlier, name)).find(name => name !== null)
      if (!changed) continue
      yield {
        message: `Rows of ${changed} that line ${line} changed stay locked while this waits for ${sized(view, table)}.`,
        object: table,
      }
      return
    }
  },
}

function writes(view: StatementView): readonly StatementView[] {
  return ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']
    .flatMap(kind => statementsOf(view.file, kind))
    .filter(other => other.statement.index < view.statement.index && shareTransaction(other, view))
    .sort((a, b) => a.statement.index - b.statement.index)
}

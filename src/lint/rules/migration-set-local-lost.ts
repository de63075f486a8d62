import { textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { isInOwnBlock, isOneTransaction } from '../transactions.ts'

export const rule: StatementRule = {
  name: 'migration-set-local-lost',
  category: 'migrations',
  severity: 'warning',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  kinds: ['VariableSetStmt'],
  title: 'A set local is over before the next statement runs',
  why: `\`set local\` lasts until the end of its transaction. In a file that runs statement by statement (it holds \`concurrently\`, transactions of
its own, or asks for it) that is the end of the \`set local\` itself: the setting never counts.`,
  instead: 'Write `set` without `local`: the session is set back behind every file.',
  examples: {
    bad: [
      {
        title: 'before an index that is built concurrently',
        before: 'create table users (id bigint);',
        up: "set local statement_timeout = '1h';\ncreate index concurrently users_id on users (id);",
      },
    ],
    good: [
      {
        title: 'for the session',
        before: 'create table users (id bigint);',
        up: "set statement_timeout = '1h';\ncreate index concurrently users_id on users (id);",
      },
      {
        title: 'in one transaction',
        before: 'create table users (id bigint);',
        up: "set local statement_timeout = '1h';\nalter table users add column name text;",
      },
    ],
  },
  *check(view) {
    if (view.fields['is_local'] !== true || isOneTransaction(view.file) || isInOwnBlock(view)) return
    const name = textOf(view.fields, 'name')
    yield {
      message: `${name} is set for no other statement, since each runs in a transaction of its own.`,
      object: name,
    }
  },
}

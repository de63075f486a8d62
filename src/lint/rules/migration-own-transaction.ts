import type { StatementRule } from '../rule.ts'
import { isInOwnBlock } from '../transactions.ts'

export const rule: StatementRule = {
  name: 'migration-own-transaction',
  category: 'migrations',
  severity: 'warning',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  kinds: ['TransactionStmt'],
  title: 'A file begins or ends transactions of its own',
  why: `The runner puts the file and its row of history into one transaction, so that both are there or neither. A file with \`begin\` and \`commit\`
inside is run statement by statement, and a failure in its middle leaves the first half. One \`begin\` and \`commit\` around the whole file do
no harm.`,
  instead:
    'Take them out; write `-- plinth: transaction=statement` at the top where each statement should commit by itself.',
  examples: {
    bad: [
      {
        title: 'two transactions',
        up: 'begin;\ncreate table users (id bigint);\ncommit;\nbegin;\ncreate table teams (id bigint);\ncommit;',
      },
      { title: 'a commit inside', up: 'create table users (id bigint);\ncommit;\ncreate table teams (id bigint);' },
    ],
    good: [
      { title: 'around the whole file', up: 'begin;\ncreate table users (id bigint);\ncommit;' },
      { title: 'none', up: 'create table users (id bigint);\ncreate table teams (id bigint);' },
    ],
  },
  *check(view) {
    const { control, line } = view.statement
    // The end of a transaction is said with its begin.
    if (control === null || (control !== 'begin' && isInOwnBlock(view))) return
    yield {
      message:
        control === 'begin'
          ? `The transaction that begins on line ${line} commits before the file is done.`
          : `Line ${line} ends a transaction that the file did not begin.`,
      object: `transaction ${line}`,
    }
  },
}

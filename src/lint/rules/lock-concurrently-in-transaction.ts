import type { StatementRule } from '../rule.ts'
import { isInOwnBlock } from '../transactions.ts'

export const rule: StatementRule = {
  name: 'lock-concurrently-in-transaction',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  title: 'A statement that PostgreSQL refuses in a transaction stands between begin and commit',
  why: `\`create index concurrently\`, \`vacuum\`, \`create database\` and their like run in transactions of their own. Between \`begin\` and
\`commit\` they fail with SQLSTATE 25001, and the file stops there.`,
  instead: 'Take `begin` and `commit` out of the file, or move the statement into a file of its own.',
  examples: {
    bad: [
      {
        title: 'an index built concurrently in a transaction of the file',
        before: 'create table users (id bigint, email text);',
        up: 'begin;\ncreate index concurrently users_email on users (email);\ncommit;',
        fails: true,
      },
    ],
    good: [
      {
        title: 'behind the commit',
        before: 'create table users (id bigint);',
        up: 'begin;\nalter table users add column email text;\ncommit;\ncreate index concurrently users_email on users (email);',
      },
    ],
  },
  check(view) {
    if (!view.statement.bare || !isInOwnBlock(view)) return undefined
    const { summary, tables } = view.statement
    return [
      {
        message: `PostgreSQL refuses "${summary}" in the transaction that the file began.`,
        object: tables[0] ?? summary,
        explainsFailure: true,
      },
    ]
  },
}

import { dottedName, listOf, textOf } from '../../sql/tree.ts'
import type { Problem, StatementRule, StatementView } from '../rule.ts'
import { shareTransaction, statementsOf } from '../transactions.ts'
import { isTypeMadeHere } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-enum-value-in-transaction',
  category: 'compatibility',
  severity: 'error',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  title: 'A value of an enum is used in the transaction that added it',
  why: `PostgreSQL refuses it with SQLSTATE 55P04 ("unsafe use of new value"), unless the transaction made the type as well: the value must be
committed first.`,
  instead: 'Add the value in a file of its own, or take `begin` and `commit` out of this one.',
  examples: {
    bad: [
      {
        title: 'between begin and commit',
        before: "create type mood as enum ('good');\ncreate table users (id bigint, mood mood);",
        up: "begin;\nalter type mood add value 'bad';\ninsert into users values (1, 'bad');\ncommit;",
        fails: true,
      },
    ],
    good: [
      {
        title: 'each statement by itself',
        before: "create type mood as enum ('good');\ncreate table users (id bigint, mood mood);",
        up: "alter type mood add value 'bad';\ninsert into users values (1, 'bad');",
      },
      {
        title: 'the type is as new',
        up: "begin;\ncreate type mood as enum ('good', 'bad');\ncreate table users (id bigint, mood mood default 'bad');\ncommit;",
      },
    ],
  },
  check(view) {
    const adding = statementsOf(view.file, 'AlterEnumStmt')
    return adding.length === 0 || adding.includes(view) ? undefined : usesIn(view, adding)
  },
}

function* usesIn(view: StatementView, adding: readonly StatementView[]): Iterable<Problem> {
  for (const earlier of adding) {
    if (earlier.statement.index > view.statement.index || !shareTransaction(earlier, view)) continue
    const value = textOf(earlier.fields, 'newVal')
    const type = listOf(earlier.fields, 'typeName').map(dottedName).join('.')
    const renames = earlier.fields['oldVal'] !== undefined
    if (value === '' || renames || !uses(view.statement.text, value) || isTypeMadeHere(earlier, type)) continue
    yield {
      message: `It uses the value of ${type} that line ${earlier.statement.line} adds in the same transaction, which PostgreSQL refuses.`,
      object: type,
      explainsFailure: true,
    }
  }
}

function uses(text: string, value: string): boolean {
  return text.includes(`'${value.replaceAll("'", "''")}'`)
}

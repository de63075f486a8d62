import { fieldsOf, textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'migration-unqualified-name',
  category: 'migrations',
  severity: 'off',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  title: 'A name without a schema relies on the search path',
  why: `Which table is meant depends on the role and its settings: the same file may make or change another table on another server.`,
  instead: 'Write the schema in front of the name, such as `platform.users`.',
  examples: {
    bad: [{ title: 'no schema', up: 'create table users (id bigint);' }],
    good: [
      { title: 'with its schema', up: 'create table public.users (id bigint);' },
      { title: 'a temporary table has none', up: 'create temporary table picked (id bigint);' },
    ],
  },
  *check({ statement, fields, file }) {
    if (textOf(fieldsOf(fields, 'relation'), 'relpersistence') === 't') return
    for (const name of statement.tables) {
      // Said once, where the table is made.
      if (name.includes('.') || file.text.madeHere(name, statement.index)) continue
      yield { message: `Which ${name} is meant depends on the search path.`, object: name }
    }
  },
}

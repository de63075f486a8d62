import { textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'data-drop-database',
  category: 'data-loss',
  severity: 'error',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  kinds: ['DropdbStmt'],
  title: 'A whole database is dropped',
  why: 'No archive reaches into another database, so nothing brings it back but a backup.',
  instead: 'Take it out of the migration, and drop the database by hand, with a backup beside it.',
  examples: {
    bad: [{ title: 'whichever', up: 'drop database if exists shop_that_is_not_there;' }],
    good: [{ title: 'a table of it', up: 'create table orders (id bigint);\ndrop table orders;' }],
  },
  *check({ fields, statement }) {
    if (statement.kind !== 'DropdbStmt') return
    const name = textOf(fields, 'dbname')
    yield { message: `Database ${name} is dropped, and nothing but a backup brings it back.`, object: name }
  },
}

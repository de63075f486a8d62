import { listOf, openNode, textOf } from '../../sql/tree.ts'
import { columnsAdded, constraintsAdded, targetOf } from '../alter.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-unique-on-data',
  category: 'compatibility',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['IndexStmt', 'AlterTableStmt'],
  alters: ['CONSTR_UNIQUE', 'CONSTR_PRIMARY'],
  title: 'Uniqueness is asked of rows that are there already',
  why: `Where two rows are equal the statement fails (SQLSTATE 23505), after it has read the whole table; built concurrently, it leaves an invalid
index behind. A scratch database has no such rows.`,
  instead: `Put a check before the step that finds equal rows: a query with \`group by … having count(*) > 1\` in
\`<version>_<name>.checks.sql\`, which stops the step before it locks anything.`,
  examples: {
    bad: [
      {
        title: 'a unique index',
        before: 'create table users (id bigint primary key, email text);',
        up: 'create unique index concurrently users_email_key on users (email);',
      },
    ],
    good: [
      {
        title: 'a column that the file adds',
        before: 'create table users (id bigint primary key);',
        up: '-- plinth: transaction=statement\nalter table users add column email text;\ncreate unique index concurrently users_email_key on users (email);',
      },
      {
        title: 'over an index that is unique already',
        before: 'create table users (id bigint, email text);\ncreate unique index users_email_key on users (email);',
        up: 'alter table users add constraint users_email_key unique using index users_email_key;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const columns of keysOf(view)) {
      if (columns.length === 0 || columns.some(column => isAddedHere(view, table, column))) continue
      yield {
        message: `The statement fails where ${sized(view, table)} has two rows with the same ${columns.join(', ')}.`,
        object: `${table}.${columns.join('_')}`,
      }
    }
  },
}

function keysOf(view: StatementView): readonly (readonly string[])[] {
  if (view.statement.kind === 'IndexStmt') {
    if (view.fields['unique'] !== true) return []
    return [listOf(view.fields, 'indexParams').map(node => textOf(openNode(node)[1], 'name') || 'expression')]
  }
  return constraintsAdded(view)
    .filter(({ type, usingIndex, inline }) => /^(unique|primary key)$/.test(type) && usingIndex === '' && !inline)
    .map(({ columns }) => columns)
}

function isAddedHere({ file, statement }: StatementView, table: string, column: string): boolean {
  return statementsOf(file, 'AlterTableStmt').some(
    other =>
      other.statement.index <= statement.index &&
      isSame(table, targetOf(other)) &&
      columnsAdded(other).some(({ name }) => name === column),
  )
}

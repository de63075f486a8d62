import { type Fields, listOf, openNode, textOf, walk } from '../../sql/tree.ts'
import { byteIndex } from '../../sql/positions.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'constraint-on-delete',
  category: 'constraints',
  severity: 'off',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateStmt', 'AlterTableStmt'],
  alters: ['CONSTR_FOREIGN'],
  title: 'A foreign key does not say what a delete does',
  why: `Without \`on delete\` the parent cannot be deleted while a child points to it. That is often right, but seldom a decision: it shows
when the first deletion of an account fails. A matter of taste, so it is off.`,
  instead: 'Write `on delete restrict`, `cascade`, `set null` or `no action`.',
  examples: {
    bad: [
      {
        title: 'at the column',
        before: 'create table users (id bigint primary key);',
        up: 'create table logins (id bigint primary key, user_id bigint references users (id));',
      },
      {
        title: 'added later',
        before:
          'create table users (id bigint primary key); create table logins (id bigint primary key, user_id bigint);',
        up: 'alter table logins add constraint logins_user_fk foreign key (user_id) references users (id);',
      },
    ],
    good: [
      {
        title: 'as it is meant',
        before: 'create table users (id bigint primary key);',
        up: 'create table logins (id bigint primary key, user_id bigint references users (id) on delete restrict);',
      },
      {
        title: 'nothing happens, and that is said',
        before: 'create table users (id bigint primary key);',
        up: 'create table logins (id bigint primary key, user_id bigint references users (id) on delete no action);',
      },
    ],
  },
  *check({ statement, file }) {
    const index = byteIndex(file.script.body)
    for (const key of foreignKeys(statement.tree)) {
      if (textOf(key, 'fk_del_action') !== 'a') continue
      const start = index(Number(key['location'] ?? 0))
      const text = file.script.body.slice(start, statement.end)
      const own = /^(?:[^,()']|\([^()]*\))*/.exec(text)?.[0] ?? ''
      if (/\bon\s+delete\b/i.test(own)) continue
      const columns = listOf(key, 'fk_attrs').map(node => textOf(openNode(node)[1], 'sval'))
      const of = columns.length > 0 ? ` on ${columns.join(', ')}` : ''
      yield {
        message: `The foreign key${of} does not say what a delete of its parent does.`,
        range: { start, end: start + own.trimEnd().length },
      }
    }
  },
}

function foreignKeys(tree: unknown): readonly Fields[] {
  const keys: Fields[] = []
  walk(tree, (kind, fields) => {
    if (kind === 'Constraint' && textOf(fields, 'contype') === 'CONSTR_FOREIGN') keys.push(fields)
  })
  return keys
}

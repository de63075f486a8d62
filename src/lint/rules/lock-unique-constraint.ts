import { constraintsAdded, constraintWords, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-unique-constraint',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_UNIQUE', 'CONSTR_PRIMARY'],
  title: 'A unique constraint or primary key builds its index while nobody can use the table',
  why: `\`add unique\` and \`add primary key\` build their index under \`ACCESS EXCLUSIVE\`: reads and writes wait for as long as the table is
big.`,
  instead: `Build the index first with \`create unique index concurrently …\`, then \`alter table … add constraint … unique using index …\`.
A partitioned table cannot take over an index: build one per partition concurrently, then the constraint finds them.`,
  examples: {
    bad: [
      {
        title: 'unique',
        before: 'create table users (id bigint primary key, email text);',
        up: 'alter table users add constraint users_email_key unique (email);',
      },
      {
        title: 'primary key',
        before: 'create table users (id bigint not null);',
        up: 'alter table users add primary key (id);',
      },
      {
        title: 'behind a new column',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column email text unique;',
      },
    ],
    good: [
      {
        title: 'over an index that is there',
        before:
          'create table users (id bigint primary key, email text);\ncreate unique index users_email_key on users (email);',
        up: 'alter table users add constraint users_email_key unique using index users_email_key;',
      },
      {
        title: 'on a table of the same file',
        up: 'create table users (id bigint, email text);\nalter table users add constraint users_email_key unique (email);',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const constraint of constraintsAdded(view)) {
      if ((constraint.type !== 'unique' && constraint.type !== 'primary key') || constraint.usingIndex) continue
      yield {
        message: `Nobody can use ${sized(view, table)} until the index of ${constraintWords(constraint)} is built.`,
        object: `${table}.${constraint.name || constraint.columns.join('_')}`,
      }
    }
  },
}

import type { StatementRule } from '../rule.ts'
import { madeNames, nameKinds } from '../subjects/made-names.ts'
import { reservedWords } from '../subjects/reserved.ts'

export const rule: StatementRule = {
  name: 'name-reserved',
  category: 'naming',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: nameKinds,
  alters: ['ColumnDef', 'Constraint'],
  title: 'A name is a word of SQL',
  why: `A reserved word must be quoted wherever it is used as a name. Where somebody forgets it, it is a syntax error at best: \`select user from sessions\`
is the name of the database role, without a word of warning.`,
  instead: 'Choose another word, such as `users` or `account`.',
  examples: {
    bad: [
      { title: 'a table', up: 'create table "order" (id bigint primary key);' },
      {
        title: 'a column',
        before: 'create table sessions (id bigint primary key);',
        up: 'alter table sessions add column "user" text;',
      },
    ],
    good: [
      {
        title: 'words that PostgreSQL does not reserve',
        up: 'create table orders (id bigint primary key, name text, type text, value text, key text);',
      },
    ],
  },
  *check(view) {
    for (const { kind, name, object } of madeNames(view)) {
      if (reservedWords.has(name))
        yield { object, message: `The ${kind} ${name} is named like a reserved word, so it must be quoted everywhere.` }
    }
  },
}

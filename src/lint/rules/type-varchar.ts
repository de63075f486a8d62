import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-varchar',
  category: 'types',
  severity: 'off',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A length is part of the type',
  why: `\`varchar(n)\` is \`text\` with a limit. Raising the limit is free since PostgreSQL 9.2, but lowering it reads the whole table, views
that use the column must be made anew either way, and a limit such as 255 mostly says nothing about the data. A matter of taste, so it is off.`,
  instead:
    'Use `text`, with a named check where a length is part of the rules: it can be changed with `not valid` and `validate constraint`.',
  examples: {
    bad: [
      { title: 'a length of habit', up: 'create table people (id bigint primary key, name varchar(255) not null);' },
    ],
    good: [
      {
        title: 'a check that can be changed',
        up: 'create table people (id bigint primary key, name text not null, constraint people_name_check check (char_length(name) <= 200));',
      },
      {
        title: 'without a limit it is text by another name',
        up: 'create table people (id bigint primary key, name varchar not null);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^character varying\(\d+\)/.test(column.type)) continue
      yield columnProblem(view, column, `${column.table}.${column.name} has its length in the type ${column.type}.`)
    }
  },
}

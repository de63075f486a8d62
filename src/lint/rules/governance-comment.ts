import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'governance-comment',
  category: 'governance',
  severity: 'off',
  shape: 'schema',
  title: 'Nobody wrote down what a column means',
  why: `Comments in the catalog are what the data dictionary, query tools and the next developer read. They are asked for by teams that publish their schema, so
the rule is off until somebody switches it on.`,
  instead: 'Add `comment on table …` and `comment on column …` in the same migration.',
  examples: {
    bad: [
      { title: 'no comment', up: "create table users (id bigint primary key); comment on table users is 'People.';" },
      {
        title: 'a new column without one',
        before:
          "create table users (id bigint primary key); comment on table users is 'People.'; comment on column users.id is 'Key.';",
        up: 'alter table users add column name text;',
      },
    ],
    good: [
      {
        title: 'said for both',
        up: "create table users (id bigint primary key); comment on table users is 'People.'; comment on column users.id is 'Key.';",
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const name = qualified(table)
      if (table.comment === null) yield { object: name, message: `The table ${name} has no comment.` }
      for (const column of table.columns.filter(one => one.comment === null))
        yield { object: `${name}.${column.name}`, message: `The column ${name}.${column.name} has no comment.` }
    }
  },
}

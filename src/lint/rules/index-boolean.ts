import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { methodOf } from '../subjects/indexes.ts'

export const rule: SchemaRule = {
  name: 'index-boolean',
  category: 'indexes',
  severity: 'notice',
  shape: 'schema',
  title: 'An index stands on a boolean alone',
  why: `Half of the rows, or nearly all of them, have the same value, so that reading the table is faster than the index, and PostgreSQL does that.
Only the rare value is worth an index, and then without the common one.`,
  instead: 'Create a partial index on what is searched: `create index … on tasks (created_at) where not done`.',
  examples: {
    bad: [
      {
        title: 'done or not',
        up: 'create table tasks (id bigint primary key, done boolean not null default false); create index tasks_done_idx on tasks (done);',
      },
    ],
    good: [
      {
        title: 'those that are still to do',
        up: `create table tasks (id bigint primary key, done boolean not null default false, at timestamptz not null);
create index tasks_open_idx on tasks (at) where not done;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const booleans = new Set(table.columns.filter(column => column.type === 'boolean').map(column => column.name))
      for (const index of table.indexes) {
        const [column] = index.columns
        const alone = index.columns.length === 1 && column !== undefined && booleans.has(column)
        if (!alone || index.unique || index.predicate !== null || methodOf(index) !== 'btree') continue
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `The index ${index.name} on ${qualified(table)} stands on the boolean ${column} alone.`,
        }
      }
    }
  },
}

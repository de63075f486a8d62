import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { methodOf } from '../subjects/indexes.ts'

const columnsMax = 4

export const rule: SchemaRule = {
  name: 'index-wide',
  category: 'indexes',
  severity: 'notice',
  shape: 'schema',
  title: 'An index has more columns than a search uses',
  why: `A search uses the columns of a B-tree from the left, up to the first one that it compares with a range. Columns behind that only make every
entry larger, and an update of any of them writes all indexes of the table.`,
  instead: 'Keep the columns that are compared for equality and one range; put what is only read into `include (…)`.',
  examples: {
    bad: [
      {
        title: 'five columns',
        up: `create table visits (id bigint primary key, a text, b text, c text, d text, e text);
create index visits_idx on visits (a, b, c, d, e);`,
      },
    ],
    good: [
      {
        title: 'two that are searched and three that are read',
        up: `create table visits (id bigint primary key, a text, b text, c text, d text, e text);
create index visits_idx on visits (a, b) include (c, d, e);`,
      },
      {
        title: 'a key needs all of its columns',
        up: 'create table grid (a int, b int, c int, d int, e int, primary key (a, b, c, d, e));',
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      for (const index of table.indexes) {
        if (index.unique || index.constraint || methodOf(index) !== 'btree' || index.columns.length <= columnsMax)
          continue
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `The index ${index.name} on ${qualified(table)} has ${index.columns.length} columns.`,
        }
      }
    }
  },
}

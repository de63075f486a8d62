import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'index-invalid',
  category: 'indexes',
  severity: 'error',
  shape: 'schema',
  title: 'An index is left invalid',
  why: `Where \`create index concurrently\` fails, or an index of a partitioned table is made on the parent alone, the index stays as invalid:
it is written with every row, no query uses it, and a unique one does not hold for the rows that were there.`,
  instead: 'Attach an index of every partition, or drop it and create it again.',
  examples: {
    bad: [
      {
        title: 'the index of one partition is missing',
        before: `create table visits (id bigint, at date not null) partition by range (at);
create table visits_old partition of visits for values from (minvalue) to ('2026-01-01');
create table visits_new partition of visits for values from ('2026-01-01') to (maxvalue);`,
        up: `create index visits_at_idx on only visits (at);
create index visits_old_at_idx on visits_old (at);
alter index visits_at_idx attach partition visits_old_at_idx;`,
      },
      {
        title: 'nothing was attached',
        before: `create table visits (id bigint, at date not null) partition by range (at);
create table visits_all partition of visits default;`,
        up: 'create index visits_at_idx on only visits (at);',
      },
    ],
    good: [
      {
        title: 'every partition has its own',
        before: `create table visits (id bigint, at date not null) partition by range (at);
create table visits_old partition of visits for values from (minvalue) to ('2026-01-01');`,
        up: `create index visits_at_idx on only visits (at);
create index visits_old_at_idx on visits_old (at);
alter index visits_at_idx attach partition visits_old_at_idx;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      for (const index of table.indexes) {
        if (index.valid) continue
        const name = qualified(table)
        yield {
          object: `${name}.${index.name}`,
          message: `The index ${index.name} on ${name} is invalid: it is written with every row and no query uses it.`,
          hint: table.partitioning
            ? `Create the index on each partition and run: alter index ${table.schema}.${index.name} attach partition …;`
            : `Run: drop index concurrently ${table.schema}.${index.name}; then create it again.`,
        }
      }
    }
  },
}

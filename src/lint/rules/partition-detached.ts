import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'

export const rule: SchemaRule = {
  name: 'partition-detached',
  category: 'partitions',
  severity: 'notice',
  shape: 'schema',
  title: 'A partition is detached and left behind',
  why: `A detached partition is a table like any other: nobody finds its rows through the parent any more, its retention is nobody's task, and an
erasure that goes through the parent does not reach it.`,
  instead: 'Drop it, move it into an archive that has its own retention, or attach it again.',
  examples: {
    bad: [
      {
        title: 'detached, and there it stands',
        before: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_2025 partition of visits for values from ('2025-01-01') to ('2026-01-01');
create table visits_rest partition of visits default;`,
        up: 'alter table visits detach partition visits_2025;',
      },
    ],
    good: [
      {
        title: 'detached and dropped',
        before: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_2025 partition of visits for values from ('2025-01-01') to ('2026-01-01');
create table visits_rest partition of visits default;`,
        up: 'alter table visits detach partition visits_2025; drop table visits_2025;',
      },
    ],
  },
  *check({ schema, before }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const parent = tableNamed(before, qualified(table))?.partitionOf?.parent
      if (parent === undefined) continue
      yield {
        object: qualified(table),
        message: `${qualified(table)} is no longer a partition of ${parent}, and its rows stay behind.`,
      }
    }
  },
}

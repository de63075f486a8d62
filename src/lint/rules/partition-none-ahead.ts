import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { partitionsOf } from '../subjects/partitions.ts'

export const rule: SchemaRule = {
  name: 'partition-none-ahead',
  category: 'partitions',
  severity: 'warning',
  shape: 'schema',
  title: 'A partitioned table has no place for new rows',
  why: `A row that fits no partition is refused (SQLSTATE 23514). Without a default partition every insert fails from the moment that the last
partition ends, typically at midnight on the first of a month.`,
  instead: `Create a default partition, or create partitions ahead of time in the same migration (\`lint.partitionsAheadMin\` says how many) and
let a job go on with that. Tables that pg_partman looks after are left alone.`,
  examples: {
    bad: [
      {
        title: 'no partition at all',
        up: 'create table visits (id bigint, at date, primary key (id, at)) partition by range (at);',
      },
      {
        title: 'fewer than are wanted, and no default',
        settings: { partitionsAheadMin: 2 },
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_202601 partition of visits for values from ('2026-01-01') to ('2026-02-01');`,
      },
      {
        title: 'a list without a rest',
        up: `create table visits (id bigint, region text, primary key (id, region)) partition by list (region);
create table visits_eu partition of visits for values in ('eu');`,
      },
    ],
    good: [
      {
        title: 'a default',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_rest partition of visits default;`,
      },
      {
        title: 'as many as are wanted',
        settings: { partitionsAheadMin: 2 },
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_202601 partition of visits for values from ('2026-01-01') to ('2026-02-01');
create table visits_202602 partition of visits for values from ('2026-02-01') to ('2026-03-01');`,
      },
      {
        title: 'an open end',
        settings: { partitionsAheadMin: 4 },
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_all partition of visits for values from ('2026-01-01') to (maxvalue);`,
      },
    ],
  },
  *check({ schema, settings }) {
    if (schema.extensions.includes('pg_partman')) return
    for (const table of schema.tables) {
      if (!table.partitioning || table.partitioning.strategy === 'hash') continue
      const parts = partitionsOf(table, schema).map(part => part.bounds)
      if (parts.some(({ kind }) => kind === 'default')) continue
      if (parts.some(bounds => bounds.kind === 'range' && bounds.to[0] === 'MAXVALUE')) continue
      const name = qualified(table)
      const list = table.partitioning.strategy === 'list'
      const wanted = Math.max(1, settings.partitionsAheadMin)
      if (!list && parts.length >= wanted) continue
      const rest = list ? 'a value that no partition lists' : `a row outside of its ${parts.length} partitions`
      yield {
        object: name,
        message:
          parts.length === 0
            ? `${name} has no partition, so every insert is refused.`
            : `${name} has no default partition, so ${rest} is refused.`,
        hint: `Run: create table ${name}_default partition of ${name} default;`,
      }
    }
  },
}

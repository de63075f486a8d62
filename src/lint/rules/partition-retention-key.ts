import { qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { keyColumns } from '../subjects/partitions.ts'
import { retentionOf } from '../subjects/retention.ts'

const days = { class: 'confidential', protection: 'none', retentionDays: 90, purge: 'delete' } as const

export const rule: SchemaRule = {
  name: 'partition-retention-key',
  category: 'partitions',
  severity: 'warning',
  shape: 'schema',
  title: 'Rows are kept for some days, and partitioned by something else than their time',
  why: `Retention counts days from when something happened. Only where that column is the partition key do rows that are due stand together and
leave by dropping a partition; otherwise every purge is a delete across all partitions.`,
  instead: 'Partition by the time that retention counts from, `occurred_at` where there is one.',
  examples: {
    bad: [
      {
        title: 'ranges of ids',
        classes: { 'public.visits': { id: days, occurred_at: days } },
        up: `create table visits (id bigint primary key, occurred_at timestamptz not null) partition by range (id);
create table visits_first partition of visits for values from (minvalue) to (maxvalue);`,
      },
      {
        title: 'by when a row arrived',
        classes: { 'public.visits': { id: days, occurred_at: days, received_at: days } },
        up: `create table visits (id bigint, occurred_at timestamptz not null, received_at timestamptz, primary key (id, received_at)) partition by range (received_at);
create table visits_rest partition of visits default;`,
      },
    ],
    good: [
      {
        title: 'by when it happened',
        classes: { 'public.visits': { id: days, occurred_at: days } },
        up: `create table visits (id bigint, occurred_at timestamptz, primary key (id, occurred_at)) partition by range (occurred_at);
create table visits_rest partition of visits default;`,
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const table of schema.tables.filter(
      one => one.partitioning?.strategy === 'range' && one.partitionOf === null,
    )) {
      const kept = retentionOf(table, classOf)
      const [key = ''] = keyColumns(table)
      if (kept === null || countsFrom(table, key)) continue
      yield {
        object: qualified(table),
        message: `Rows of ${qualified(table)} are kept ${kept} days, and its partitions are ranges of ${key}.`,
      }
    }
  },
}

/** The key is the time that retention counts from; an expression over it counts as well. */
function countsFrom(table: Table, key: string): boolean {
  const times = table.columns.filter(column => /^(date|timestamp)/.test(column.type)).map(column => column.name)
  const wanted = times.includes('occurred_at') ? ['occurred_at'] : times
  return wanted.some(name => key === name || new RegExp(`\\b${name.replaceAll('$', '\\$')}\\b`).test(key))
}

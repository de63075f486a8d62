import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { partitionsOf, spanDays } from '../subjects/partitions.ts'
import { retentionOf } from '../subjects/retention.ts'

export const rule: SchemaRule = {
  name: 'partition-retention-granularity',
  category: 'partitions',
  severity: 'warning',
  shape: 'schema',
  title: 'A partition spans more days than its rows may be kept',
  why: `A partition can be dropped once its youngest row is due, and by then its oldest one is as many days overdue as the partition spans. Where
the declared retention is shorter than that, dropping partitions can never keep the promise, and rows must be deleted one by one.`,
  instead: 'Make the partitions narrower, at most half of the retention, or purge by deleting.',
  examples: {
    bad: [
      {
        title: 'a year of rows that are kept for thirty days',
        classes: {
          'public.visits': {
            at: { class: 'confidential', protection: 'none', retentionDays: 30, purge: 'delete' },
            visitor: { class: 'restricted', protection: 'hashed', retentionDays: 30, purge: 'delete' },
          },
        },
        up: `create table visits (at timestamptz not null, visitor bytea not null, primary key (visitor, at)) partition by range (at);
create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');`,
      },
    ],
    good: [
      {
        title: 'a week of them',
        classes: {
          'public.visits': {
            at: { class: 'confidential', protection: 'none', retentionDays: 30, purge: 'delete' },
            visitor: { class: 'restricted', protection: 'hashed', retentionDays: 30, purge: 'delete' },
          },
        },
        up: `create table visits (at timestamptz not null, visitor bytea not null, primary key (visitor, at)) partition by range (at);
create table visits_20260105 partition of visits for values from ('2026-01-05') to ('2026-01-12');`,
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const table of schema.tables.filter(one => one.partitioning?.strategy === 'range')) {
      const days = retentionOf(table, classOf)
      if (days === null) continue
      for (const part of partitionsOf(table, schema)) {
        const span = spanDays(part.bounds)
        if (span === null || span <= days) continue
        yield {
          object: qualified(part.table),
          message: `${qualified(part.table)} spans ${Math.round(span)} days, and rows of ${qualified(table)} may be kept ${days}.`,
        }
      }
    }
  },
}

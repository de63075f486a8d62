import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'

export const rule: SchemaRule = {
  name: 'partition-row-security',
  category: 'partitions',
  severity: 'warning',
  shape: 'schema',
  title: 'Row security of the parent does not hold for its partition',
  why: `Policies are looked up on the table that a query names. Whoever may read or write a partition by its own name goes past the policies of the
parent. That is everybody with a grant on the partition, and its owner where row security is forced on the parent alone.`,
  instead: `Enable and force row security on every partition, without a policy where nobody works on partitions directly, and grant rights on
the parent alone: they are enough.`,
  examples: {
    bad: [
      {
        title: 'forced on the parent alone',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_rest partition of visits default;
alter table visits enable row level security;
alter table visits force row level security;`,
      },
      {
        title: 'a grant on the partition',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_rest partition of visits default;
alter table visits enable row level security;
grant select on visits, visits_rest to pg_monitor;`,
      },
    ],
    good: [
      {
        title: 'on both',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_rest partition of visits default;
alter table visits enable row level security;
alter table visits force row level security;
alter table visits_rest enable row level security;
alter table visits_rest force row level security;`,
      },
      {
        title: 'nobody but the owner may use the partition, and he sees every row anyway',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_rest partition of visits default;
alter table visits enable row level security;
grant select on visits to pg_monitor;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      const parent = table.partitionOf && tableNamed(schema, table.partitionOf.parent)
      if (!parent?.rowSecurity.enabled || table.rowSecurity.enabled) continue
      if (!parent.rowSecurity.forced && table.grants.length === 0) continue
      const name = qualified(table)
      const who = table.grants.map(grant => grant.role).join(', ') || 'its owner'
      yield {
        object: name,
        message: `${name} has no row security of its own, so ${who} can go past the policies of ${qualified(parent)}.`,
        hint: `Run: alter table ${name} enable row level security; alter table ${name} force row level security;`,
      }
    }
  },
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { methodOf } from '../subjects/indexes.ts'
import { comparedIn } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'index-policy-column',
  category: 'indexes',
  severity: 'warning',
  shape: 'schema',
  title: 'No index begins with the column that a policy compares',
  why: `Row security adds the policy's condition to every query. Without an index that begins with its column each query of a small tenant reads
the rows of all the others, only to throw them away.`,
  instead: 'Create an index that begins with the column, or let the primary key begin with it.',
  examples: {
    bad: [
      {
        title: 'the primary key begins with something else',
        up: `create table visits (id bigint primary key, tenant_id text not null);
alter table visits enable row level security;
create policy visits_tenant on visits using (tenant_id = current_setting('app.tenant')) with check (tenant_id = current_setting('app.tenant'));`,
      },
    ],
    good: [
      {
        title: 'the primary key begins with it',
        up: `create table visits (tenant_id text, id bigint, primary key (tenant_id, id));
alter table visits enable row level security;
create policy visits_tenant on visits using (tenant_id = current_setting('app.tenant')) with check (tenant_id = current_setting('app.tenant'));`,
      },
      {
        title: 'an index of its own',
        up: `create table visits (id bigint primary key, tenant_id text not null);
create index visits_tenant_idx on visits (tenant_id);
alter table visits enable row level security;
create policy visits_tenant on visits using (tenant_id = current_setting('app.tenant')) with check (tenant_id = current_setting('app.tenant'));`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      if (!table.rowSecurity.enabled || table.partitionOf !== null) continue
      const columns = new Set(
        table.rowSecurity.policies.filter(policy => policy.using !== null).flatMap(policy => comparedIn(policy, table)),
      )
      const leading = new Set(
        table.indexes
          .filter(index => index.valid && index.predicate === null && /^(btree|hash)$/.test(methodOf(index)))
          .map(index => index.columns[0]),
      )
      if (columns.size === 0 || [...columns].some(column => leading.has(column))) continue
      const [column] = columns
      yield {
        object: `${qualified(table)}.${column}`,
        message: `Policies of ${qualified(table)} compare ${column}, and no index begins with it.`,
        hint: `Run: create index ${table.name}_${column}_idx on ${qualified(table)} (${column});`,
      }
    }
  },
}

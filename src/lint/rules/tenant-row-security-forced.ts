import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { isTenants } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'tenant-row-security-forced',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'Row security does not hold for the owner of the table',
  why: `Row security passes over the table's owner unless it is forced. Services often sign in as the role that ran the migrations, and so do
functions that run with their owner's rights and views: for all of these the policies are not there.`,
  instead: 'Run `alter table … force row level security`, and give the role that migrates a policy of its own.',
  examples: {
    bad: [
      {
        title: 'enabled only',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table visits (tenant_id bigint, id bigint, primary key (tenant_id, id));
alter table visits enable row level security;
create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);`,
      },
    ],
    good: [
      {
        title: 'enabled and forced',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table visits (tenant_id bigint, id bigint, primary key (tenant_id, id));
alter table visits enable row level security;
alter table visits force row level security;
create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);`,
      },
    ],
  },
  *check({ schema, settings }) {
    for (const table of schema.tables) {
      const guarded = isTenants(table, settings) || qualified(table) === settings.tenantTable
      if (!guarded || table.partitionOf !== null || !table.rowSecurity.enabled || table.rowSecurity.forced) continue
      yield {
        object: qualified(table),
        message: `Row security of ${qualified(table)} does not hold for the table's owner.`,
        hint: `Run: alter table ${qualified(table)} force row level security;`,
      }
    }
  },
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { isTenants } from '../subjects/tenancy.ts'
import { tablesRead } from '../subjects/views.ts'

const visits = `create table visits (tenant_id bigint, id bigint, at timestamptz not null, primary key (tenant_id, id));
alter table visits enable row level security;
alter table visits force row level security;
create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);`

export const rule: SchemaRule = {
  name: 'tenant-rollup',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'A rollup mixes the rows of all tenants',
  why: `Counts and sums without the tenant cannot be shown to a tenant, cannot be corrected when one of them is erased, and cannot be proved against
their source tenant by tenant.`,
  instead:
    'Group by the tenant column as well, and sum over tenants where a report needs it. Name it under `lint.sharedTables` where it is meant so.',
  examples: {
    bad: [
      {
        title: 'one number a day',
        settings: { tenantColumn: 'tenant_id' },
        before: visits,
        up: "create materialized view visits_daily as select date_trunc('day', at) as day, count(*) as visits from visits group by 1;",
      },
    ],
    good: [
      {
        title: 'meant for the whole platform, and declared so',
        settings: {
          tenantColumn: 'tenant_id',
          sharedTables: { 'public.visits_daily': 'the load of the whole platform' },
        },
        before: visits,
        up: "create materialized view visits_daily as select date_trunc('day', at) as day, count(*) as visits from visits group by 1;",
      },
      {
        title: 'a view stores nothing, and runs with the rights of whoever asks',
        settings: { tenantColumn: 'tenant_id' },
        before: visits,
        up: 'create view visits_total with (security_invoker = true) as select count(*) as visits from visits;',
      },
    ],
  },
  *check({ schema, settings }) {
    const tenant = settings.tenantColumn
    if (tenant === null) return
    for (const view of schema.views.filter(one => one.materialized)) {
      if (view.columns.some(column => column.name === tenant) || Object.hasOwn(settings.sharedTables, qualified(view)))
        continue
      const sources = tablesRead(view, schema).filter(table => isTenants(table, settings))
      if (sources.length === 0) continue
      yield {
        object: qualified(view),
        message: `${qualified(view)} is filled from ${sources.map(qualified).join(', ')} and has no ${tenant}.`,
        hint: `Select and group by ${tenant} as well.`,
      }
    }
  },
}

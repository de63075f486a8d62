import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tenantTables } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'tenant-column-nullable',
  category: 'tenancy',
  severity: 'error',
  shape: 'schema',
  title: 'A row may belong to no tenant',
  why: `A row without a tenant is seen by nobody under a policy that compares the column, survives the erasure of its tenant, slips through every
foreign key that holds the column (one null is enough for PostgreSQL not to look) and may repeat within unique keys.`,
  instead: `Make the column \`not null\`. A table with rows for everybody beside those of tenants is named under \`lint.sharedTables\`, with the
reason.`,
  examples: {
    bad: [
      {
        title: 'a column that may be left out',
        settings: { tenantColumn: 'organization_id' },
        up: 'create table visits (id bigint primary key, organization_id bigint);',
      },
      {
        title: 'the constraint goes',
        settings: { tenantColumn: 'organization_id' },
        before: 'create table visits (id bigint primary key, organization_id bigint not null);',
        up: 'alter table visits alter column organization_id drop not null;',
      },
    ],
    good: [
      {
        title: 'every row has one',
        settings: { tenantColumn: 'organization_id' },
        up: `create table visits (organization_id bigint, id bigint, primary key (organization_id, id));
alter table visits enable row level security;
alter table visits force row level security;
create policy visits_tenant on visits using (organization_id = 1) with check (organization_id = 1);`,
      },
    ],
  },
  *check(view) {
    for (const table of tenantTables(view)) {
      const column = table.columns.find(one => one.name === view.settings.tenantColumn)
      if (!column?.nullable) continue
      const name = qualified(table)
      yield {
        object: `${name}.${column.name}`,
        message: `${name}.${column.name} may be null, so a row may belong to no tenant.`,
        hint: `Run: alter table ${name} alter column ${column.name} set not null;`,
      }
    }
  },
}

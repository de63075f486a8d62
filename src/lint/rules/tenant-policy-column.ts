import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { isAlwaysTrue, mentions, tenantTables } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'tenant-policy-column',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'A policy lets rows through without asking for the tenant',
  why: `A policy such as \`owner_id = …\` or \`is_public\` permits rows of every tenant that fit it. Permissive policies add up, so it also widens those
that do compare the tenant.`,
  instead:
    'Compare the tenant column in the policy as well, or add one `as restrictive` that compares it for all commands.',
  examples: {
    bad: [
      {
        title: 'it compares something else',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table notes (tenant_id bigint, id bigint, is_public boolean not null, primary key (tenant_id, id));
alter table notes enable row level security;
alter table notes force row level security;
create policy notes_tenant on notes using (tenant_id = 1) with check (tenant_id = 1);
create policy notes_public on notes for select using (is_public);`,
      },
    ],
    good: [
      {
        title: 'with the tenant',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table notes (tenant_id bigint, id bigint, is_public boolean not null, primary key (tenant_id, id));
alter table notes enable row level security;
alter table notes force row level security;
create policy notes_tenant on notes using (tenant_id = 1 and is_public) with check (tenant_id = 1);`,
      },
      {
        title: 'a restrictive policy asks for the tenant',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table notes (tenant_id bigint, id bigint, is_public boolean not null, primary key (tenant_id, id));
alter table notes enable row level security;
alter table notes force row level security;
create policy notes_tenant on notes as restrictive using (tenant_id = 1) with check (tenant_id = 1);
create policy notes_public on notes for select using (is_public);`,
      },
    ],
  },
  *check(view) {
    const tenant = view.settings.tenantColumn ?? ''
    for (const table of tenantTables(view)) {
      const { policies } = table.rowSecurity
      const confined = policies.some(one => !one.permissive && one.command === 'all' && mentions(one.using, tenant))
      for (const policy of confined ? [] : policies.filter(one => one.permissive)) {
        const conditions = [policy.using, policy.withCheck].filter(one => one !== null)
        if (conditions.some(isAlwaysTrue) || conditions.every(one => mentions(one, tenant))) continue
        yield {
          object: `${qualified(table)}.${policy.name}`,
          message: `The policy ${policy.name} on ${qualified(table)} does not compare ${tenant}, so it permits rows of every tenant.`,
        }
      }
    }
  },
}

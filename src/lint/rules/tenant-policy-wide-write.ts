import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { letsMoreIn } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'tenant-policy-wide-write',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'What everybody may read, everybody may also write',
  why: `A policy without \`with check\` applies \`using\` to new rows as well. Where that has an alternative, such as \`or is_public\` or \`tenant_id is
null\`, a tenant can change rows that were only meant to be read, and put rows where all others see them.`,
  instead: 'Add `with check` with the own rows alone, or give reading a policy `for select` of its own.',
  examples: {
    bad: [
      {
        title: 'public notes can be changed by anybody',
        up: `create table notes (tenant_id bigint, id bigint, is_public boolean not null, primary key (tenant_id, id));
alter table notes enable row level security;
create policy notes_tenant on notes using (tenant_id = 1 or is_public);`,
      },
      {
        title: 'rows without a tenant',
        up: `create table plans (id bigint primary key, tenant_id bigint); create index plans_tenant_idx on plans (tenant_id);
alter table plans enable row level security;
create policy plans_tenant on plans for update using (tenant_id is null);`,
      },
    ],
    good: [
      {
        title: 'reading apart from writing',
        up: `create table notes (tenant_id bigint, id bigint, is_public boolean not null, primary key (tenant_id, id));
alter table notes enable row level security;
create policy notes_read on notes for select using (tenant_id = 1 or is_public);
create policy notes_write on notes using (tenant_id = 1) with check (tenant_id = 1);`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      for (const policy of table.rowSecurity.policies) {
        if (policy.withCheck !== null || !/^(all|update)$/.test(policy.command) || !policy.permissive) continue
        if (!letsMoreIn(policy.using)) continue
        yield {
          object: `${qualified(table)}.${policy.name}`,
          message: `The policy ${policy.name} on ${qualified(table)} has alternatives and no with check, so rows that were only to be read can be written.`,
        }
      }
    }
  },
}

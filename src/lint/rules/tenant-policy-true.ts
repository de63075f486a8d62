import { type Policy, qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule, Settings } from '../rule.ts'
import { isAlwaysTrue, isTenants } from '../subjects/tenancy.ts'

const visits = `create table visits (tenant_id bigint, id bigint, primary key (tenant_id, id));
alter table visits enable row level security;
alter table visits force row level security;`

export const rule: SchemaRule = {
  name: 'tenant-policy-true',
  category: 'tenancy',
  severity: 'error',
  shape: 'schema',
  title: 'A policy lets everybody at every row',
  why: `Permissive policies add up: one that is \`true\` undoes all others for its roles. \`using (true)\` for everybody, or for a role that another
policy confines, switches row security off while it looks switched on; \`with check (true)\` lets a tenant write rows for another one. A policy
that opens everything to a role named for it, such as one for backups, is fine beside one that confines the others.`,
  instead: 'Compare the tenant column in `using` and in `with check`, or name the role that really may see everything.',
  examples: {
    bad: [
      { title: 'for everybody', up: `${visits} create policy visits_all on visits using (true);` },
      {
        title: 'writing is not confined',
        up: `${visits} create policy visits_tenant on visits using (tenant_id = 1) with check (true);`,
      },
      {
        title: 'no other policy confines anybody',
        settings: { tenantColumn: 'tenant_id' },
        up: `${visits} create policy visits_monitor on visits for select to pg_monitor using (true);`,
      },
      {
        title: 'the same role is confined by another policy',
        up: `${visits} create policy visits_tenant on visits to pg_monitor using (tenant_id = 1) with check (tenant_id = 1);
create policy visits_open on visits to pg_monitor using (1 = 1);`,
      },
    ],
    good: [
      {
        title: 'a role that sees everything, beside one that does not',
        settings: { tenantColumn: 'tenant_id' },
        up: `${visits} create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);
create policy visits_backup on visits for select to pg_read_all_data using (true);`,
      },
      {
        title: 'what everybody may read, where nobody speaks of tenants',
        up: `${visits} create policy visits_read on visits for select using (true);`,
      },
      {
        title: 'everything may be deleted by who is confined elsewhere',
        up: `${visits} create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);
create policy visits_some on visits as restrictive using (true);`,
      },
    ],
  },
  *check({ schema, settings }) {
    for (const table of schema.tables) {
      if (!table.rowSecurity.enabled) continue
      for (const policy of table.rowSecurity.policies.filter(one => one.permissive)) {
        const reason = reasonOf(policy, table, settings)
        if (reason === null) continue
        yield {
          object: `${qualified(table)}.${policy.name}`,
          message: `The policy ${policy.name} on ${qualified(table)} lets ${reason}.`,
        }
      }
    }
  },
}

function reasonOf(policy: Policy, table: Table, settings: Settings): string | null {
  const reads = isAlwaysTrue(policy.using) && policy.command !== 'insert'
  const writes = isAlwaysTrue(policy.withCheck) || (reads && policy.withCheck === null && policy.command !== 'select')
  const others = table.rowSecurity.policies.filter(one => one !== policy && one.permissive && isConfining(one))
  const everybody = policy.roles.includes('public')
  if (!reads && !writes) return null
  if (!reads && policy.using !== null) return 'new rows have any value, though only some may be read'
  if (everybody) {
    // Reading what everybody may read, or signing up, is a common wish where there are no tenants.
    if (isTenants(table, settings) || /^(all|update|delete)$/.test(policy.command))
      return `everybody ${reads ? 'at every row' : 'write rows for anybody'}`
    return others.some(one => overlaps(one, policy)) ? 'everybody at every row, which undoes the other policies' : null
  }
  const same = others.some(one => overlaps(one, policy) && one.roles.some(role => policy.roles.includes(role)))
  if (same) return `${policy.roles.join(', ')} at every row, which undoes the other policy of the same role`
  const confined = table.partitionOf !== null || others.length > 0
  return isTenants(table, settings) && !confined ? `${policy.roles.join(', ')} at the rows of every tenant` : null
}

function isConfining({ using, withCheck }: Policy): boolean {
  return !isAlwaysTrue(using ?? withCheck)
}

function overlaps(a: Policy, b: Policy): boolean {
  return a.command === b.command || a.command === 'all' || b.command === 'all'
}

import { qualified, type Table } from '../../schema/model.ts'
import type { CatalogView, SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'
import { columnsOfPolicies, hasColumn, isTenants } from '../subjects/tenancy.ts'

const visits = 'create table visits (tenant_id bigint, id bigint, primary key (tenant_id, id));'
const guarded = `create table users (tenant_id bigint, id bigint, primary key (tenant_id, id));
alter table users enable row level security;
create policy users_tenant on users using (tenant_id = current_setting('app.tenant')::bigint) with check (tenant_id = current_setting('app.tenant')::bigint);`

export const rule: SchemaRule = {
  name: 'tenant-row-security',
  category: 'tenancy',
  severity: 'error',
  shape: 'schema',
  title: "A table with tenants' rows has no row security",
  why: `Without row security one forgotten condition in one query shows a tenant the rows of all others; so does a policy that was written but never
enabled. Where no tenant column is declared, this rule speaks of tables that have policies, and of those with a column that policies of
other tables compare.`,
  instead:
    'Run `alter table … enable row level security` and `force row level security`, and create a policy that compares the tenant column.',
  examples: {
    bad: [
      { title: 'declared by the team', settings: { tenantColumn: 'tenant_id' }, up: visits },
      { title: 'other tables compare the same column', before: guarded, up: visits },
      {
        title: 'a policy that is not enabled',
        up: `${visits}
create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);`,
      },
    ],
    good: [
      {
        title: 'enabled',
        settings: { tenantColumn: 'tenant_id' },
        up: `${visits}
alter table visits enable row level security;
alter table visits force row level security;
create policy visits_tenant on visits using (tenant_id = 1) with check (tenant_id = 1);`,
      },
      { title: 'nobody speaks of tenants', up: 'create table notes (id bigint primary key, tenant_id bigint);' },
      {
        title: 'a table without such a column',
        before: guarded,
        up: 'create table countries (code text primary key, name text not null);',
      },
      {
        title: 'shared, and declared so',
        settings: { tenantColumn: 'tenant_id', sharedTables: { 'public.visits': 'counts doors, not people' } },
        up: visits,
      },
    ],
  },
  *check(view) {
    const compared = view.settings.tenantColumn === null ? columnsOfPolicies(view.schema) : new Set<string>()
    for (const table of view.schema.tables) {
      if (table.partitionOf !== null || table.rowSecurity.enabled || wasOn(view, table)) continue
      const reason = reasonToGuard(view, table, compared)
      if (reason === null) continue
      const name = qualified(table)
      yield {
        object: name,
        message: `${name} ${reason}, and row security is off.`,
        hint: `Run: alter table ${name} enable row level security; alter table ${name} force row level security; and create a policy.`,
      }
    }
  },
}

/** Taking it away is a statement of its own, which another rule finds. */
function wasOn({ before, schema }: CatalogView, table: Table): boolean {
  return before !== schema && (tableNamed(before, qualified(table))?.rowSecurity.enabled ?? false)
}

function reasonToGuard({ settings }: CatalogView, table: Table, compared: ReadonlySet<string>): string | null {
  if (table.rowSecurity.policies.length > 0) return 'has a policy'
  if (qualified(table) === settings.tenantTable) return 'is the table of tenants'
  if (isTenants(table, settings)) return `has the tenant column ${settings.tenantColumn}`
  if (Object.hasOwn(settings.sharedTables, qualified(table))) return null
  const column = [...compared].find(name => /_(id|key|uuid)$/.test(name) && hasColumn(table, name))
  return column === undefined ? null : `has ${column}, which policies of other tables compare`
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { hasColumn, isShared } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'tenant-column-missing',
  category: 'tenancy',
  severity: 'error',
  shape: 'schema',
  title: 'A table does not say whose rows it holds',
  why: `Only a table that has the tenant column itself can be guarded by row security, indexed, counted, exported and erased for one tenant. A child
that finds its tenant through its parent escapes all of these.`,
  instead: `Add the tenant column, not null, and let foreign keys carry it along. A table that belongs to no tenant is named under
\`lint.sharedTables\`, with the reason.`,
  examples: {
    bad: [
      {
        title: 'a child that leaves it to its parent',
        settings: { tenantColumn: 'organization_id' },
        before:
          'create table invoices (organization_id bigint, id bigint, primary key (organization_id, id), unique (id));',
        up: 'create table invoice_lines (id bigint primary key, invoice_id bigint not null references invoices (id));',
      },
    ],
    good: [
      {
        title: 'it carries the tenant along',
        settings: { tenantColumn: 'organization_id' },
        before: 'create table invoices (organization_id bigint, id bigint, primary key (organization_id, id));',
        up: `create table invoice_lines (organization_id bigint, invoice_id bigint, line integer, primary key (organization_id, invoice_id, line),
  foreign key (organization_id, invoice_id) references invoices (organization_id, id));
alter table invoice_lines enable row level security;
alter table invoice_lines force row level security;
create policy invoice_lines_tenant on invoice_lines using (organization_id = 1) with check (organization_id = 1);`,
      },
      {
        title: 'shared by everybody, and declared so',
        settings: { tenantColumn: 'organization_id', sharedTables: { 'public.countries': 'a list from a standard' } },
        up: 'create table countries (code text primary key);',
      },
      {
        title: 'the tenants themselves',
        settings: { tenantColumn: 'organization_id', tenantTable: 'public.organizations' },
        up: `create table organizations (id bigint primary key);
alter table organizations enable row level security;
alter table organizations force row level security;
create policy organizations_tenant on organizations using (id = 1) with check (id = 1);`,
      },
      { title: 'nobody declares tenants', up: 'create table lines (id bigint primary key);' },
    ],
  },
  *check({ schema, settings }) {
    const column = settings.tenantColumn
    if (column === null) return
    for (const table of schema.tables) {
      if (table.partitionOf !== null || isShared(table, settings) || hasColumn(table, column)) continue
      yield {
        object: qualified(table),
        message: `${qualified(table)} has no column ${column}, so nobody can tell whose rows it holds.`,
        hint: `Add ${column}, or name ${qualified(table)} under lint.sharedTables with the reason.`,
      }
    }
  },
}

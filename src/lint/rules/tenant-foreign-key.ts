import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'
import { isTenants, tenantTables } from '../subjects/tenancy.ts'

const users = `create table users (tenant_id bigint, id bigint unique, primary key (tenant_id, id));
alter table users enable row level security;
alter table users force row level security;
create policy users_tenant on users using (tenant_id = 1) with check (tenant_id = 1);`

const rest = `create index notes_author_idx on notes (tenant_id, author_id);
alter table notes enable row level security;
alter table notes force row level security;
create policy notes_tenant on notes using (tenant_id = 1) with check (tenant_id = 1);`

export const rule: SchemaRule = {
  name: 'tenant-foreign-key',
  category: 'tenancy',
  severity: 'error',
  shape: 'schema',
  title: 'A child may point to a row of another tenant',
  why: `A foreign key is checked with the rights of the table's owner and without row security. One that leaves the tenant column out accepts the id of
a row of any tenant: a guessed or leaked id is enough, and joins and cascades then cross the border.`,
  instead:
    'Let the key carry the tenant: `foreign key (tenant_id, author_id) references users (tenant_id, id)`, with a unique key on both there.',
  examples: {
    bad: [
      {
        title: 'the id alone',
        settings: { tenantColumn: 'tenant_id' },
        before: users,
        up: `create table notes (tenant_id bigint, id bigint, author_id bigint references users (id), primary key (tenant_id, id));
${rest}`,
      },
      {
        title: 'the tenant is compared with something else',
        settings: { tenantColumn: 'tenant_id' },
        before: users,
        up: `create table notes (tenant_id bigint, id bigint, author_tenant bigint, author_id bigint, primary key (tenant_id, id),
  foreign key (author_tenant, author_id) references users (tenant_id, id));
create index notes_key_idx on notes (author_tenant, author_id);
${rest}`,
      },
    ],
    good: [
      {
        title: 'the tenant goes along',
        settings: { tenantColumn: 'tenant_id' },
        before: users,
        up: `create table notes (tenant_id bigint, id bigint, author_id bigint, primary key (tenant_id, id),
  foreign key (tenant_id, author_id) references users (tenant_id, id));
${rest}`,
      },
      {
        title: 'to what everybody shares',
        settings: { tenantColumn: 'tenant_id', sharedTables: { 'public.colors': 'the same for everybody' } },
        before: 'create table colors (code text primary key);',
        up: `create table notes (tenant_id bigint, id bigint, author_id bigint, color text references colors (code), primary key (tenant_id, id));
create index notes_color_idx on notes (color);
${rest}`,
      },
    ],
  },
  *check(view) {
    const tenant = view.settings.tenantColumn ?? ''
    for (const table of tenantTables(view)) {
      for (const key of table.foreignKeys) {
        const parent = tableNamed(view.schema, key.references)
        if (!parent || !isTenants(parent, view.settings)) continue
        const carries = key.columns.some((column, at) => column === tenant && key.referencedColumns[at] === tenant)
        if (carries) continue
        yield {
          object: `${qualified(table)}.${key.name}`,
          message: `The foreign key ${key.name} on ${qualified(table)} does not carry ${tenant}, so it may point to a row of another tenant in ${key.references}.`,
          hint: `Make it foreign key (${[tenant, ...key.columns].join(', ')}) references ${key.references} (${[tenant, ...key.referencedColumns].join(', ')}).`,
        }
      }
    }
  },
}

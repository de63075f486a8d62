import { type Column, type Index, qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tenantTables } from '../subjects/tenancy.ts'

const rest = `alter table tags enable row level security;
alter table tags force row level security;
create policy tags_tenant on tags using (tenant_id = 1) with check (tenant_id = 1);`

export const rule: SchemaRule = {
  name: 'tenant-unique',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'A name that one tenant uses is taken for all others',
  why: `Unique keys see past row security: a name that another tenant took is refused with an error, which tells that it is there, and nobody in the own
tenant can see why. Keys that are made up (uuid, identity, hashes) cannot clash and are left alone.`,
  instead:
    'Begin the key with the tenant column. Where a name must be unique everywhere, such as a domain, allow it with that reason.',
  examples: {
    bad: [
      {
        title: 'one name for all tenants',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table tags (tenant_id bigint, id bigint, name text not null unique, primary key (tenant_id, id));
${rest}`,
      },
      {
        title: 'a unique index',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table tags (tenant_id bigint, id bigint, name text not null, primary key (tenant_id, id));
create unique index tags_name_key on tags (lower(name));
${rest}`,
      },
    ],
    good: [
      {
        title: 'unique within the tenant',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table tags (tenant_id bigint, id bigint, name text not null, primary key (tenant_id, id), unique (tenant_id, name));
${rest}`,
      },
      {
        title: 'what is made up cannot clash',
        settings: { tenantColumn: 'tenant_id' },
        up: `create table tags (tenant_id bigint not null, id bigint generated always as identity primary key, code uuid unique, secret_hash bytea unique);
create index tags_tenant_idx on tags (tenant_id);
${rest}`,
      },
    ],
  },
  *check(view) {
    const tenant = view.settings.tenantColumn ?? ''
    for (const table of tenantTables(view)) {
      for (const index of table.indexes) {
        if (!index.unique || index.columns.includes(tenant) || isMadeUp(table, index)) continue
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `${index.name} keeps (${index.columns.join(', ')}) of ${qualified(table)} unique across all tenants.`,
          hint: `Make it unique on (${[tenant, ...index.columns].join(', ')}).`,
        }
      }
    }
  },
}

function isMadeUp(table: Table, { columns }: Index): boolean {
  const counted = table.primaryKey?.columns
  return columns.some(name => {
    const column = table.columns.find(one => one.name === name)
    return column !== undefined && (isGenerated(column) || (name === 'id' && counted?.length === 1))
  })
}

function isGenerated({ name, type, identity, default: value }: Column): boolean {
  return (
    /^(uuid|bytea)$/.test(type) ||
    identity !== null ||
    /^nextval\(|gen_random|random\(/.test(value ?? '') ||
    /_(hash|token|digest)$/.test(name)
  )
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { methodOf } from '../subjects/indexes.ts'
import { tenantTables } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'index-tenant-leading',
  category: 'indexes',
  severity: 'warning',
  shape: 'schema',
  title: 'The tenant stands behind other columns of an index',
  why: `Every query of a tenant compares the tenant's column, since row security adds it. An index that has it further back makes each of them read
the entries of all tenants up to there, so the smallest tenant pays for the largest.`,
  instead: 'Put the tenant column first. An index that serves work across tenants can leave it out altogether.',
  examples: {
    bad: [
      {
        title: 'the time comes first',
        settings: { tenantColumn: 'organization_id' },
        up: `create table visits (organization_id bigint not null, id bigint, at timestamptz not null, primary key (organization_id, id));
create index visits_at_idx on visits (at, organization_id);`,
      },
    ],
    good: [
      {
        title: 'the tenant comes first',
        settings: { tenantColumn: 'organization_id' },
        up: `create table visits (organization_id bigint not null, id bigint, at timestamptz not null, primary key (organization_id, id));
create index visits_at_idx on visits (organization_id, at);`,
      },
      {
        title: 'for work across tenants',
        settings: { tenantColumn: 'organization_id' },
        up: `create table visits (organization_id bigint not null, id bigint, at timestamptz not null, primary key (organization_id, id));
create index visits_at_idx on visits (at);`,
      },
    ],
  },
  *check(view) {
    const tenant = view.settings.tenantColumn ?? ''
    for (const table of tenantTables(view)) {
      for (const index of table.indexes) {
        if (index.unique || methodOf(index) !== 'btree' || index.columns.indexOf(tenant) < 1) continue
        const better = [tenant, ...index.columns.filter(column => column !== tenant)].join(', ')
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `The index ${index.name} on ${qualified(table)} has ${tenant} behind ${index.columns[0]}, so a tenant's query reads everybody's entries.`,
          hint: `Create it on (${better}).`,
        }
      }
    }
  },
}

import { qualified, type View } from '../../schema/model.ts'
import type { SchemaRule, Settings } from '../rule.ts'
import { tablesRead } from '../subjects/views.ts'

const notes = `create table notes (tenant_id bigint, id bigint, body text, primary key (tenant_id, id));
alter table notes enable row level security;
create policy notes_tenant on notes using (tenant_id = 1) with check (tenant_id = 1);`

export const rule: SchemaRule = {
  name: 'tenant-materialized-view',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'A materialized view keeps rows that row security hides',
  why: `A materialized view is filled with the rights of its owner and cannot have row security of its own, so whoever may read it reads the rows of
all tenants.`,
  instead:
    'Use a table with row security that a job fills, or grant the materialized view to nobody and read it through a view that compares the tenant.',
  examples: {
    bad: [
      {
        title: 'a copy for speed',
        before: notes,
        up: 'create materialized view note_lengths as select tenant_id, id, length(body) as length from notes;',
      },
    ],
    good: [
      {
        title: 'over what everybody may read',
        up: 'create table colors (code text primary key); create materialized view shades as select code from colors;',
      },
    ],
  },
  *check({ schema, settings }) {
    for (const view of schema.views.filter(one => one.materialized && !mixesTenants(one, settings))) {
      const secured = tablesRead(view, schema).filter(table => table.rowSecurity.enabled)
      if (secured.length === 0) continue
      yield {
        object: qualified(view),
        message: `${qualified(view)} keeps rows of ${secured.map(qualified).join(', ')}, and a materialized view has no row security.`,
      }
    }
  },
}

/** It has lost the tenant altogether, which another rule finds. */
function mixesTenants({ columns }: View, { tenantColumn }: Settings): boolean {
  return tenantColumn !== null && !columns.some(column => column.name === tenantColumn)
}

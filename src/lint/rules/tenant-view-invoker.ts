import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { runsAsInvoker, tablesRead } from '../subjects/views.ts'

const notes = `create table notes (tenant_id bigint, id bigint, body text, primary key (tenant_id, id));
alter table notes enable row level security;
create policy notes_tenant on notes using (tenant_id = 1) with check (tenant_id = 1);`

export const rule: SchemaRule = {
  name: 'tenant-view-invoker',
  category: 'tenancy',
  severity: 'error',
  shape: 'schema',
  title: 'A view shows rows that row security hides',
  why: `A view reads its tables with the rights of its owner, who is mostly the owner of the tables too, so policies do not hold and everybody who may
read the view sees the rows of all tenants. Since PostgreSQL 15 a view can run with the rights of whoever asks.`,
  instead: 'Create the view `with (security_invoker = true)`, or run `alter view … set (security_invoker = true)`.',
  examples: {
    bad: [
      {
        title: 'with the rights of its owner',
        before: notes,
        up: 'create view recent_notes as select tenant_id, id, body from notes;',
      },
      {
        title: 'the table is secured later',
        before:
          'create table notes (tenant_id bigint, id bigint primary key); create view recent_notes as select * from notes;',
        up: `alter table notes enable row level security;
create policy notes_tenant on notes using (tenant_id = 1) with check (tenant_id = 1);
create index notes_tenant_idx on notes (tenant_id);`,
      },
    ],
    good: [
      {
        title: 'with the rights of whoever asks',
        before: notes,
        up: 'create view recent_notes with (security_invoker = true) as select tenant_id, id, body from notes;',
      },
      {
        title: 'over a table that everybody may read',
        up: 'create table colors (code text primary key); create view shades as select code from colors;',
      },
    ],
  },
  *check({ schema }) {
    for (const view of schema.views.filter(one => !one.materialized && !runsAsInvoker(one))) {
      const secured = tablesRead(view, schema).filter(table => table.rowSecurity.enabled)
      if (secured.length === 0) continue
      yield {
        object: qualified(view),
        message: `The view ${qualified(view)} reads ${secured.map(qualified).join(', ')} with the rights of its owner, past row security.`,
        hint: `Run: alter view ${qualified(view)} set (security_invoker = true);`,
      }
    }
  },
}

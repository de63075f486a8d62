import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'tenant-policy-missing',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'Row security is on and no policy lets anybody in',
  why: `With row security and no policy that permits, every query but the owner's finds no row and every insert is refused, without an error when
reading. Mostly the policy was forgotten, and the first thing that somebody does about it is to switch row security off.`,
  instead:
    'Create a policy. Where nobody but the owner may see a row, revoke the grants too, and allow it with that reason.',
  examples: {
    bad: [
      {
        title: 'no policy',
        up: 'create table notes (id bigint primary key); alter table notes enable row level security;',
      },
      {
        title: 'only one that restricts',
        up: `create table notes (id bigint primary key); alter table notes enable row level security;
create policy notes_some on notes as restrictive using (id > 0);`,
      },
    ],
    good: [
      {
        title: 'a policy',
        up: `create table notes (owner text, id bigint, primary key (owner, id)); alter table notes enable row level security;
create policy notes_own on notes using (owner = current_user) with check (owner = current_user);`,
      },
      {
        title: 'a partition, where nobody works directly',
        up: `create table visits (at date primary key) partition by range (at);
create table visits_rest partition of visits default;
alter table visits_rest enable row level security;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      const { enabled, policies } = table.rowSecurity
      if (!enabled || table.partitionOf !== null || policies.some(policy => policy.permissive)) continue
      yield {
        object: qualified(table),
        message: `Row security of ${qualified(table)} is on and no policy permits anything, so only the owner sees rows.`,
      }
    }
  },
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { isAlwaysTrue, letsMoreIn } from '../subjects/tenancy.ts'

export const rule: SchemaRule = {
  name: 'tenant-policy-check',
  category: 'tenancy',
  severity: 'notice',
  shape: 'schema',
  title: 'A policy does not say which rows may be written',
  why: `Without \`with check\` PostgreSQL takes the condition of \`using\` for new rows as well. That is safe as long as they are meant to be the same:
who later lets more rows be read (\`or is_public\`) lets the same rows be written without noticing. A policy for inserts alone
has no \`using\`, so without \`with check\` it permits no insert.`,
  instead: 'Write `with check (…)` beside `using (…)`, even if it is the same.',
  examples: {
    bad: [
      {
        title: 'for all commands',
        up: `create table notes (owner text, id bigint, primary key (owner, id)); alter table notes enable row level security;
create policy notes_own on notes using (owner = current_user);`,
      },
      {
        title: 'for inserts',
        up: `create table notes (owner text, id bigint, primary key (owner, id)); alter table notes enable row level security;
create policy notes_new on notes for insert;`,
      },
    ],
    good: [
      {
        title: 'both',
        up: `create table notes (owner text, id bigint, primary key (owner, id)); alter table notes enable row level security;
create policy notes_own on notes using (owner = current_user) with check (owner = current_user);`,
      },
      {
        title: 'reading and deleting write no new row',
        up: `create table notes (owner text, id bigint, primary key (owner, id)); alter table notes enable row level security;
create policy notes_read on notes for select using (owner = current_user);
create policy notes_delete on notes for delete using (owner = current_user);`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      for (const policy of table.rowSecurity.policies) {
        if (policy.withCheck !== null || /^(select|delete)$/.test(policy.command) || !policy.permissive) continue
        if (letsMoreIn(policy.using) || isAlwaysTrue(policy.using)) continue
        const name = `The policy ${policy.name} on ${qualified(table)}`
        yield {
          object: `${qualified(table)}.${policy.name}`,
          message:
            policy.using === null
              ? `${name} has no condition, so it permits no insert.`
              : `${name} has no with check: what may be read may be written as well.`,
        }
      }
    }
  },
}

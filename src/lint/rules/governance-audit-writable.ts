import { type Grant, qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { keepsHistory } from '../subjects/names.ts'

export const rule: SchemaRule = {
  name: 'governance-audit-writable',
  category: 'governance',
  severity: 'warning',
  shape: 'schema',
  title: 'An audit log can be changed by those whose deeds it tells',
  why: `A log of who did what proves something only if nobody whom it tells of can change or remove an entry. A grant of \`update\`, \`delete\` or \`truncate\` is
enough to lose that, whatever the application does.`,
  instead: 'Grant `select` and `insert` alone, and refuse changes with a trigger, so that the owner is held as well.',
  examples: {
    bad: [
      {
        title: 'all that a service usually gets',
        up: `create table audit_log (id bigint generated always as identity primary key, action text not null);
grant select, insert, update, delete on audit_log to pg_monitor;`,
      },
      {
        title: 'one column is enough',
        up: `create table audit_log (id bigint generated always as identity primary key, action text not null);
grant select, insert, update (action) on audit_log to pg_monitor;`,
      },
    ],
    good: [
      {
        title: 'reading and adding',
        up: `create table audit_log (id bigint generated always as identity primary key, action text not null);
grant select, insert on audit_log to pg_monitor;`,
      },
      {
        title: 'another table',
        up: `create table auditors (id bigint generated always as identity primary key, name text not null);
grant select, insert, update, delete on auditors to pg_monitor;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => keepsHistory(one.name))) {
      for (const grant of table.grants) {
        const writes = writesOf(grant)
        if (writes.length === 0) continue
        yield {
          object: `${qualified(table)}.${grant.role}`,
          message: `${grant.role} may ${writes.join(', ')} rows of ${qualified(table)}, which keeps a record of what happened.`,
          hint: `Run: revoke ${writes.join(', ')} on ${qualified(table)} from ${grant.role};`,
        }
      }
    }
  },
}

function writesOf({ privileges }: Grant): readonly string[] {
  const words = privileges.map(privilege => privilege.replace(/[ (].*$/, ''))
  return ['update', 'delete', 'truncate'].filter(word => words.includes(word))
}

import { qualified, type Schema, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { columnsOfPolicies, hasColumn } from '../subjects/tenancy.ts'

const guarded = `create table users (id bigint primary key);
alter table users enable row level security;
create policy users_all on users for select using (true);
create table teams (id bigint primary key);
alter table teams enable row level security;
create policy teams_all on teams for select using (true);`

export const rule: SchemaRule = {
  name: 'tenant-row-security-habit',
  category: 'tenancy',
  severity: 'warning',
  shape: 'schema',
  title: 'Row security is off on one table among many that have it',
  why: `Where the tables of a schema are reached through an API that relies on row security, a table without it is open to everybody who can reach
the API. This rule speaks where at least two tables of the schema have row security, and those without it are the exception.`,
  instead: 'Enable row security; where everybody may read, say so with a policy `for select using (true)`.',
  examples: {
    bad: [
      {
        title: 'the one that was forgotten',
        before: guarded,
        up: 'create table notes (id bigint primary key, body text);',
      },
    ],
    good: [
      {
        title: 'everybody may read, and that is said',
        before: guarded,
        up: `create table notes (id bigint primary key, body text);
alter table notes enable row level security;
create policy notes_all on notes for select using (true);`,
      },
      {
        title: 'another schema',
        before: guarded,
        up: 'create schema internal; create table internal.jobs (id bigint primary key);',
      },
      {
        title: 'where tenants are declared, another rule knows better',
        settings: { tenantColumn: 'tenant_id', sharedTables: { 'public.plans': 'the same for everybody' } },
        before: guarded,
        up: 'create table plans (id bigint primary key);',
      },
    ],
  },
  *check({ schema, settings }) {
    if (settings.tenantColumn !== null) return
    const compared = columnsOfPolicies(schema)
    for (const table of schema.tables) {
      if (table.partitionOf !== null || table.rowSecurity.enabled || table.rowSecurity.policies.length > 0) continue
      if ([...compared].some(name => /_(id|key|uuid)$/.test(name) && hasColumn(table, name))) continue
      if (Object.hasOwn(settings.sharedTables, qualified(table)) || !isHabit(schema, table)) continue
      yield {
        object: qualified(table),
        message: `Row security is off on ${qualified(table)}, and on for most tables of the schema ${table.schema}.`,
        hint: `Run: alter table ${qualified(table)} enable row level security;`,
      }
    }
  },
}

/** More than two thirds of the others have it. */
function isHabit({ tables }: Schema, table: Table): boolean {
  const others = tables.filter(one => one.schema === table.schema && one !== table && one.partitionOf === null)
  const secured = others.filter(one => one.rowSecurity.enabled)
  return secured.length >= 2 && secured.length * 3 > others.length * 2
}

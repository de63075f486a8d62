import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'constraint-always-true',
  category: 'constraints',
  severity: 'warning',
  shape: 'schema',
  title: 'A check refuses nothing',
  why: `A check passes unless it is false, so also when it is null. \`status in ('a', null)\` is never false: it is null for every other value, and
PostgreSQL lets the row in. A comparison of a column with itself passes for every value.`,
  instead: "Write what must hold, and leave null to `not null`: `check (status in ('a', 'b'))`.",
  examples: {
    bad: [
      {
        title: 'a null in the list',
        up: "create table orders (id bigint primary key, status text, constraint orders_status_check check (status in ('open', null)));",
      },
      {
        title: 'nothing at all',
        up: 'create table orders (id bigint primary key, constraint orders_check check (true));',
      },
      {
        title: 'a column and itself',
        up: 'create table orders (id bigint primary key, total numeric, constraint orders_total_check check (total = total));',
      },
      {
        title: 'null or not',
        up: 'create table orders (id bigint primary key, total numeric, constraint orders_total_check check (total is null or total is not null));',
      },
    ],
    good: [
      {
        title: 'a list',
        up: "create table orders (id bigint primary key, status text, constraint orders_status_check check (status in ('open', 'paid')));",
      },
      {
        title: 'null is allowed beside a rule',
        up: 'create table orders (id bigint primary key, a int, b int, constraint orders_check check (a is null or b is not null));',
      },
      {
        title: 'not a null',
        up: 'create table orders (id bigint primary key, a int, constraint orders_check check (a is not null));',
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      for (const { name, definition } of table.checks) {
        if (!refusesNothing(definition)) continue
        yield {
          object: `${qualified(table)}.${name}`,
          message: `The check ${name} on ${qualified(table)} can never be false, so it refuses nothing.`,
        }
      }
    }
  },
}

/** Reads what PostgreSQL prints, such as `CHECK ((status = ANY (ARRAY['a'::text, NULL::text])))`. */
function refusesNothing(definition: string): boolean {
  const text = definition
    .replace(/^CHECK \((.*)\)( NO INHERIT| NOT ENFORCED)*$/s, '$1')
    .replaceAll(/'(?:[^']|'')*'/g, "''")
  const bare = text.replaceAll(/[()]/g, '').trim()
  if (/^(true|(\w+) = \2|(\d+) = \3|NULL(::\w+)?)$/i.test(bare)) return true
  if (/^("?[\w$]+"?) IS NULL OR \1 IS NOT NULL$|^("?[\w$]+"?) IS NOT NULL OR \2 IS NULL$/.test(bare)) return true
  return /^\(?\(?"?[\w$]+"?\)?(::\w+)? = ANY \(\(?ARRAY\[[^\]]*\bNULL::[^\]]*\][^()]*\)?(::[\w[\] ]+)?\)\)?$/.test(text)
}

import { qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'

export const rule: SchemaRule = {
  name: 'constraint-duplicate',
  category: 'constraints',
  severity: 'warning',
  shape: 'schema',
  title: 'Two constraints say the same',
  why: `Both are checked with every row: two equal foreign keys look the parent up twice and lock it twice. Whoever drops one of them believes the
rule is gone, and it is not. It happens when a migration is written twice, and PostgreSQL makes up another name.`,
  instead: 'Drop one of them.',
  examples: {
    bad: [
      {
        title: 'a foreign key twice',
        before: `create table users (id bigint primary key);
create table logins (id bigint primary key, user_id bigint references users (id)); create index logins_user_idx on logins (user_id);`,
        up: 'alter table logins add constraint logins_user_fk foreign key (user_id) references users (id);',
      },
      {
        title: 'a check twice',
        up: 'create table users (id bigint primary key, age integer check (age > 0), constraint users_age_positive check (age > 0));',
      },
    ],
    good: [
      {
        title: 'two references of different columns',
        before: 'create table users (id bigint primary key);',
        up: `create table gifts (id bigint primary key, giver_id bigint references users (id), taker_id bigint references users (id));
create index gifts_giver_idx on gifts (giver_id); create index gifts_taker_idx on gifts (taker_id);`,
      },
    ],
  },
  *check({ schema, before }) {
    for (const table of schema.tables) {
      const old = new Set(sayings(tableNamed(before, qualified(table))).map(one => one.name))
      // What was there before comes first, so that the new one is the second.
      const all = [...sayings(table)].sort((a, b) => Number(old.has(b.name)) - Number(old.has(a.name)))
      for (const [at, one] of all.entries()) {
        const first = all.slice(0, at).find(other => other.says === one.says)
        if (!first) continue
        yield {
          object: `${qualified(table)}.${one.name}`,
          message: `The constraint ${one.name} on ${qualified(table)} says the same as ${first.name}.`,
          hint: `Leave ${one.name} out.`,
        }
      }
    }
  },
}

/** Keys are told apart by their indexes, which another rule compares. */
function sayings(table: Table | undefined): readonly { readonly name: string; readonly says: string }[] {
  if (!table) return []
  return [
    ...table.foreignKeys.map(key => {
      const pairs = key.columns.map((column, at) => `${column}=${key.referencedColumns[at]}`).sort()
      return { name: key.name, says: `${key.references} ${pairs.join(' ')}` }
    }),
    ...[...table.checks, ...table.exclusions].map(({ name, definition }) => ({ name, says: definition })),
  ]
}

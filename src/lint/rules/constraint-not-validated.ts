import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'constraint-not-validated',
  category: 'constraints',
  severity: 'warning',
  shape: 'schema',
  title: 'A constraint is left without being validated',
  why: `\`not valid\` holds for rows that are written from now on, and says nothing about those that are there. The planner does not trust such a
constraint, a restore of a dump may fail on it, and everybody who reads the schema believes that it holds. It is judged behind the last
migration, so a later one that validates it settles it.`,
  instead: 'Validate it in the next migration: `alter table … validate constraint …` lets reads and writes go on.',
  examples: {
    bad: [
      {
        title: 'a check',
        before: 'create table users (id bigint primary key, age integer);',
        up: 'alter table users add constraint users_age_check check (age >= 0) not valid;',
      },
      {
        title: 'a foreign key',
        before: `create table users (id bigint primary key);
create table logins (id bigint primary key, user_id bigint); create index logins_user_idx on logins (user_id);`,
        up: 'alter table logins add constraint logins_user_fk foreign key (user_id) references users (id) not valid;',
      },
    ],
    good: [
      {
        title: 'validated',
        before: 'create table users (id bigint primary key, age integer);',
        up: `alter table users add constraint users_age_check check (age >= 0) not valid;
alter table users validate constraint users_age_check;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      for (const { name, validated } of [...table.checks, ...table.foreignKeys]) {
        if (validated) continue
        yield {
          object: `${qualified(table)}.${name}`,
          message: `The constraint ${name} on ${qualified(table)} does not hold for rows that were there before it.`,
          hint: `Run, in the next migration: alter table ${qualified(table)} validate constraint ${name};`,
        }
      }
    }
  },
}

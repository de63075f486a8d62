import { qualified, type Schema } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'

export const rule: SchemaRule = {
  name: 'type-foreign-key',
  category: 'types',
  severity: 'warning',
  shape: 'schema',
  title: 'A foreign key is of another type than the key that it points to',
  why: `PostgreSQL accepts a foreign key between types that can be compared. An \`integer\` that points to a \`bigint\` stops working at
2,147,483,647, although the key it points to does not; other pairs compare through a cast, so that joins cannot use an index.`,
  instead: 'Give the column the type of the key that it points to.',
  examples: {
    bad: [
      {
        title: 'an integer that points to a bigint',
        before: 'create table users (id bigint primary key);',
        up: 'create table logins (id bigint primary key, user_id integer not null references users (id));',
      },
      {
        title: 'the key was widened and what points to it was not',
        before:
          'create table users (id integer primary key); create table logins (id bigint primary key, user_id integer references users);',
        up: 'alter table users alter column id type bigint;',
      },
    ],
    good: [
      {
        title: 'the same type',
        before: 'create table users (id bigint primary key);',
        up: 'create table logins (id bigint primary key, user_id bigint not null references users (id));',
      },
      {
        title: 'a text that points to a varchar',
        before: 'create table plans (code varchar(20) primary key);',
        up: 'create table seats (id bigint primary key, plan_code text not null references plans (code));',
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      for (const key of table.foreignKeys) {
        const pairs = key.columns.map((column, at) => ({ column, other: key.referencedColumns[at] ?? '' }))
        for (const { column, other } of pairs) {
          const own = typeOf(schema, qualified(table), column)
          const wanted = typeOf(schema, key.references, other)
          if (own === wanted || comparable(own) === comparable(wanted)) continue
          yield {
            object: `${qualified(table)}.${column}`,
            message: `${qualified(table)}.${column} is of type ${own}, and ${key.references}.${other}, which it points to, is ${wanted}.`,
            hint: `Give ${column} the type ${wanted}.`,
          }
        }
      }
    }
  },
}

function typeOf(schema: Schema, table: string, column: string): string {
  return tableNamed(schema, table)?.columns.find(candidate => candidate.name === column)?.type ?? ''
}

/** Texts of every kind and length compare as text; a modifier changes nothing. */
function comparable(type: string): string {
  const base = type.replace(/\([^)]*\)/, '')
  return /^(text|character varying)$/.test(base) ? 'text' : base
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { classifiedColumns } from '../subjects/classes.ts'

const id = { class: 'internal', protection: 'none', retentionDays: null, purge: null } as const

export const rule: SchemaRule = {
  name: 'governance-purge',
  category: 'governance',
  severity: 'error',
  shape: 'schema',
  title: 'Data has an end, and nothing says what happens then',
  why: `Retention without a strategy is a wish: the job that keeps it must know whether a row is deleted, stays without what tells of a person, or moves into a
sealed archive. A column that is emptied while its row stays must also allow null.`,
  instead: 'Give `purge`: `delete`, `anonymize` or `archive`; for `anonymize` let the column be null.',
  examples: {
    bad: [
      {
        title: 'no strategy',
        classes: {
          'public.users': {
            id,
            phone: { class: 'restricted', protection: 'encrypted', retentionDays: 30, purge: null },
          },
        },
        up: 'create table users (id bigint primary key, phone bytea);',
      },
      {
        title: 'what is emptied cannot be empty',
        classes: {
          'public.users': {
            id,
            phone: { class: 'restricted', protection: 'encrypted', retentionDays: 30, purge: 'anonymize' },
          },
        },
        up: 'create table users (id bigint primary key, phone bytea not null);',
      },
    ],
    good: [
      {
        title: 'it is emptied, and may be',
        classes: {
          'public.users': {
            id,
            phone: { class: 'restricted', protection: 'encrypted', retentionDays: 30, purge: 'anonymize' },
          },
        },
        up: 'create table users (id bigint primary key, phone bytea);',
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const { table, column, declared } of classifiedColumns(schema, classOf)) {
      const name = `${qualified(table)}.${column.name}`
      if (declared.retentionDays !== null && declared.purge === null)
        yield {
          object: name,
          message: `${name} is kept ${declared.retentionDays} days, and nothing says what happens then.`,
        }
      const emptied = declared.purge === 'anonymize' && declared.class === 'restricted'
      if (emptied && !column.nullable && column.default === null)
        yield {
          object: name,
          message: `${name} is to be anonymized, and may not be null.`,
          hint: `Run: alter table ${qualified(table)} alter column ${column.name} drop not null;`,
        }
    }
  },
}

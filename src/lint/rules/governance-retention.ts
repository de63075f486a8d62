import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { classifiedColumns } from '../subjects/classes.ts'

const id = { class: 'internal', protection: 'none', retentionDays: null, purge: null } as const

export const rule: SchemaRule = {
  name: 'governance-retention',
  category: 'governance',
  severity: 'warning',
  shape: 'schema',
  title: 'Nobody said how long personal data is kept',
  why: `What has no end is kept for ever. Restricted data needs one: how many days after it lost its use it goes. Only then can a job remove it and a
report prove that it did.`,
  instead: 'Give the table, or the column, `retention_days` and `purge` in the classification.',
  examples: {
    bad: [
      {
        title: 'no end',
        classes: {
          'public.users': {
            id,
            phone: { class: 'restricted', protection: 'encrypted', retentionDays: null, purge: null },
          },
        },
        up: 'create table users (id bigint primary key, phone bytea);',
      },
    ],
    good: [
      {
        title: 'thirty days after its deletion',
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
      if (declared.class !== 'restricted' || declared.retentionDays !== null) continue
      yield {
        object: `${qualified(table)}.${column.name}`,
        message: `${qualified(table)}.${column.name} is restricted, and nothing says how long it is kept.`,
      }
    }
  },
}

import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { classifiedColumns } from '../subjects/classes.ts'

const kept = { retentionDays: 30, purge: 'delete' } as const

export const rule: SchemaRule = {
  name: 'governance-unprotected',
  category: 'governance',
  severity: 'error',
  shape: 'schema',
  title: 'Restricted data is stored as it is',
  why: `Restricted is what tells of a person or opens something. Stored as it is, it is in every backup, replica, log and export, readable by each role
that may read the table.`,
  instead:
    'Store an encrypted envelope, or a keyed hash where it is only compared, and declare which; or give the column the class that it has.',
  examples: {
    bad: [
      {
        title: 'an address',
        classes: {
          'public.users': {
            id: { class: 'internal', protection: 'none', ...kept },
            email: { class: 'restricted', protection: 'none', ...kept },
          },
        },
        up: 'create table users (id bigint primary key, email text not null);',
      },
    ],
    good: [
      {
        title: 'an envelope and a hash',
        classes: {
          'public.users': {
            id: { class: 'internal', protection: 'none', ...kept },
            email_ciphertext: { class: 'restricted', protection: 'encrypted', ...kept },
            email_hash: { class: 'restricted', protection: 'hashed', ...kept },
          },
        },
        up: 'create table users (id bigint primary key, email_ciphertext bytea not null, email_hash bytea not null);',
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const { table, column, declared } of classifiedColumns(schema, classOf)) {
      if (declared.class !== 'restricted' || declared.protection !== 'none') continue
      yield {
        object: `${qualified(table)}.${column.name}`,
        message: `${qualified(table)}.${column.name} is restricted and stored as it is.`,
      }
    }
  },
}

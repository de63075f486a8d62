import { type Column, qualified, type Table } from '../../schema/model.ts'
import type { ClassOf } from '../../schema/classification.ts'
import type { SchemaRule } from '../rule.ts'
import { holdsBytes } from '../subjects/classes.ts'

export const rule: SchemaRule = {
  name: 'governance-blind-index',
  category: 'governance',
  severity: 'error',
  shape: 'schema',
  title: 'An index stands on encrypted values',
  why: `Sealing a value twice gives two different texts, or it would tell that they are equal. So an index on the ciphertext finds nothing, and a unique
key on it keeps nothing unique: the same address signs up twice.`,
  instead: 'Add a keyed hash of the normalized value beside it (a blind index), and make that one unique or indexed.',
  examples: {
    bad: [
      {
        title: 'unique on the ciphertext',
        up: 'create table users (id bigint primary key, email_ciphertext bytea not null unique);',
      },
      {
        title: 'an index to look it up',
        classes: {
          'public.users': {
            id: { class: 'internal', protection: 'none', retentionDays: null, purge: null },
            phone: { class: 'restricted', protection: 'encrypted', retentionDays: 30, purge: 'delete' },
          },
        },
        up: 'create table users (id bigint primary key, phone bytea); create index users_phone_idx on users (phone);',
      },
    ],
    good: [
      {
        title: 'a hash beside it',
        up: 'create table users (id bigint primary key, email_ciphertext bytea not null, email_hash bytea not null unique);',
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      for (const index of table.indexes) {
        const column = table.columns.find(one => index.columns.includes(one.name) && isSealed(table, one, classOf))
        if (!column) continue
        const vain = index.unique ? 'keeps nothing unique' : 'finds nothing'
        const base = column.name.replace(/_(ciphertext|encrypted|enc|sealed)$/, '')
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `The index ${index.name} stands on the encrypted ${qualified(table)}.${column.name}, so it ${vain}.`,
          hint: `Add ${base}_hash bytea, a keyed hash of the value, and index that.`,
        }
      }
    }
  },
}

function isSealed(table: Table, { name, type }: Column, classOf: ClassOf): boolean {
  const declared = classOf(qualified(table), name)
  return declared
    ? declared.protection === 'encrypted'
    : holdsBytes(type) && /_(ciphertext|encrypted|sealed)$/.test(name)
}

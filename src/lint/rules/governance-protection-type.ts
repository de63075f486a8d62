import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { classifiedColumns, holdsBytes } from '../subjects/classes.ts'

const kept = { class: 'restricted', retentionDays: 30, purge: 'delete' } as const

export const rule: SchemaRule = {
  name: 'governance-protection-type',
  category: 'governance',
  severity: 'warning',
  shape: 'schema',
  title: 'A column that is declared protected has a type for plain values',
  why: `An envelope and a hash are bytes. A column of text takes the plain value as gladly, and nothing notices when one service forgets to seal it; a number or
a date cannot hold anything but the plain value.`,
  instead: 'Make it `bytea`, with a check on the length or the first byte of what it holds.',
  examples: {
    bad: [
      {
        title: 'a ciphertext as text',
        classes: {
          'public.users': {
            id: { ...kept, class: 'internal', protection: 'none' },
            phone: { ...kept, protection: 'encrypted' },
          },
        },
        up: 'create table users (id bigint primary key, phone text);',
      },
      {
        title: 'a date cannot be a hash',
        classes: {
          'public.users': {
            id: { ...kept, class: 'internal', protection: 'none' },
            birthday: { ...kept, protection: 'hashed' },
          },
        },
        up: 'create table users (id bigint primary key, birthday date);',
      },
    ],
    good: [
      {
        title: 'bytes',
        classes: {
          'public.users': {
            id: { ...kept, class: 'internal', protection: 'none' },
            phone: { ...kept, protection: 'encrypted' },
          },
        },
        up: 'create table users (id bigint primary key, phone bytea);',
      },
      {
        title: 'a text that only a hash fits',
        classes: {
          'public.users': {
            id: { ...kept, class: 'internal', protection: 'none' },
            phone: { ...kept, protection: 'hashed' },
          },
        },
        up: "create table users (id bigint primary key, phone text check (phone ~ '^[0-9a-f]{64}$'));",
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const { table, column, declared } of classifiedColumns(schema, classOf)) {
      if (declared.protection === 'none' || holdsBytes(column.type)) continue
      const confined = table.checks.some(check => check.definition.includes(column.name))
      if (confined && /^(text|character)/.test(column.type)) continue
      yield {
        object: `${qualified(table)}.${column.name}`,
        message: `${qualified(table)}.${column.name} is declared ${declared.protection}, and its type ${column.type} takes plain values.`,
      }
    }
  },
}

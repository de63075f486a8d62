import { qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { holdsRestricted, isFree } from '../subjects/classes.ts'

const kept = { retentionDays: 30, purge: 'delete' } as const
const id = { class: 'internal', protection: 'none', ...kept } as const
const phone = { class: 'restricted', protection: 'encrypted', ...kept } as const

export const rule: SchemaRule = {
  name: 'governance-free-text',
  category: 'governance',
  severity: 'notice',
  shape: 'schema',
  title: 'Free text about a person counts as harmless',
  why: `JSON and notes hold whatever somebody put there: on a table about people that is a name in a note and an address in a payload. Classified as public or
internal, it is copied, logged and kept as if it told of nobody.`,
  instead: 'Classify it as confidential or restricted, or confine what it may hold with a check.',
  examples: {
    bad: [
      {
        title: 'a note about a person',
        classes: { 'public.users': { id, phone, notes: id } },
        up: 'create table users (id bigint primary key, phone bytea, notes text);',
      },
      {
        title: 'whatever the form sent',
        classes: { 'public.users': { id, phone, profile: id } },
        up: 'create table users (id bigint primary key, phone bytea, profile jsonb);',
      },
    ],
    good: [
      {
        title: 'taken for what it may be',
        classes: { 'public.users': { id, phone, notes: { ...id, class: 'confidential' } } },
        up: 'create table users (id bigint primary key, phone bytea, notes text);',
      },
      {
        title: 'a word from a list',
        classes: { 'public.users': { id, phone, role: id } },
        up: "create table users (id bigint primary key, phone bytea, role text not null check (role in ('a', 'b')));",
      },
    ],
  },
  *check({ schema, classOf }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null && holdsRestricted(one, classOf))) {
      for (const column of table.columns.filter(one => isFree(table, one))) {
        const declared = classOf(qualified(table), column.name)
        if (!declared || /^(confidential|restricted)$/.test(declared.class)) continue
        yield {
          object: `${qualified(table)}.${column.name}`,
          message: `${qualified(table)}.${column.name} can hold anything about a person, and is classified as ${declared.class}.`,
        }
      }
    }
  },
}

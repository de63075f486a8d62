import { qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'constraint-soft-delete-unique',
  category: 'constraints',
  severity: 'notice',
  shape: 'schema',
  title: 'A deleted row still takes its name',
  why: `Where rows are deleted by a date, a plain unique key goes on holding the name of a deleted one: who deletes his account cannot sign up with
the same address, and the error speaks of a row that nobody can see.`,
  instead: `Create a partial unique index: \`create unique index … on users (email) where deleted_at is null\`. Where a name must never be used
again, allow it with that reason.`,
  examples: {
    bad: [
      {
        title: 'an address that stays taken',
        up: 'create table users (id bigint primary key, email text not null unique, deleted_at timestamptz);',
      },
    ],
    good: [
      {
        title: 'unique among the living',
        up: `create table users (id bigint primary key, email text not null, deleted_at timestamptz);
create unique index users_email_key on users (email) where deleted_at is null;`,
      },
      {
        title: 'a key that points elsewhere, and one that no person chooses',
        up: `create table users (id bigint primary key, number bigint generated always as identity unique, external_id uuid unique, key_hash bytea unique, deleted_at timestamptz);`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const date = table.columns.find(
        column => /^(deleted|removed|archived)_(at|on)$/.test(column.name) && column.nullable,
      )
      if (!date) continue
      const primary = table.primaryKey?.name
      for (const index of table.indexes) {
        if (!index.unique || index.name === primary || index.predicate !== null || index.columns.includes(date.name))
          continue
        if (!index.columns.some(column => isChosen(table, column))) continue
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `${index.name} keeps (${index.columns.join(', ')}) of ${qualified(table)} taken when ${date.name} says that the row is deleted.`,
          hint: `Make it a unique index on (${index.columns.join(', ')}) where ${date.name} is null, unless it must never be used again.`,
        }
      }
    }
  },
}

/** A text that somebody gives; ids, numbers and hashes are made anew. */
function isChosen(table: Table, name: string): boolean {
  const column = table.columns.find(one => one.name === name)
  const type = column?.type ?? 'text'
  const pointing = table.foreignKeys.some(key => key.columns.includes(name))
  return !pointing && /^(text|character|citext|public\.citext)/.test(type) && !/(_id|_hash|_token|_key)$/.test(name)
}

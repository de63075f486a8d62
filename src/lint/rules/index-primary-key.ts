import { qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'index-primary-key',
  category: 'indexes',
  severity: 'warning',
  shape: 'schema',
  title: 'A table has no primary key',
  why: `Without a key nobody can name a row: two equal rows cannot be told apart or removed one by one, logical replication refuses updates and
deletes, and what a rollback would restore cannot be matched. A unique key over columns that are not null does as well.`,
  instead:
    'Add a primary key, such as `id bigint generated always as identity primary key`, or name the columns that identify a row.',
  examples: {
    bad: [
      { title: 'no key at all', up: 'create table events (at timestamptz not null, kind text not null);' },
      { title: 'a unique key that allows nulls', up: 'create table events (code text unique, kind text not null);' },
      { title: 'made from a query', up: 'create table numbers as select 1 as a;' },
    ],
    good: [
      { title: 'a primary key', up: 'create table events (id bigint primary key, kind text not null);' },
      { title: 'a unique key without nulls', up: 'create table events (code text not null unique, kind text);' },
      {
        title: 'a partitioned table and its partitions',
        up: `create table events (id bigint, at date, primary key (id, at)) partition by range (at);
create table events_rest partition of events default;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables) {
      if (table.partitionOf !== null || table.primaryKey !== null || isIdentified(table)) continue
      yield {
        object: qualified(table),
        message: `${qualified(table)} has no primary key, so its rows cannot be told apart or replicated.`,
      }
    }
  },
}

function isIdentified(table: Table): boolean {
  const optional = new Set(table.columns.filter(column => column.nullable).map(column => column.name))
  const known = new Set(table.columns.map(column => column.name))
  return table.indexes.some(
    index =>
      index.unique &&
      index.valid &&
      index.predicate === null &&
      index.columns.every(column => known.has(column) && !optional.has(column)),
  )
}

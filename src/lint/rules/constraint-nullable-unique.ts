import { qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'constraint-nullable-unique',
  category: 'constraints',
  severity: 'notice',
  shape: 'schema',
  title: 'A null lets the same key in twice',
  why: `Nulls count as different, so a unique key over several columns does not hold for rows in which one of them is null: (7, null) may be there
any number of times. Since PostgreSQL 15 \`nulls not distinct\` counts them as equal.`,
  instead: 'Make the columns `not null`, add `nulls not distinct`, or say with a predicate which rows are meant.',
  examples: {
    bad: [
      {
        title: 'one of two columns may be null',
        up: 'create table prices (id bigint primary key, plan text not null, region text, constraint prices_key unique (plan, region));',
      },
    ],
    good: [
      {
        title: 'nulls are equal',
        up: 'create table prices (id bigint primary key, plan text not null, region text, constraint prices_key unique nulls not distinct (plan, region));',
      },
      {
        title: 'no nulls',
        up: 'create table prices (id bigint primary key, plan text not null, region text not null, unique (plan, region));',
      },
      {
        title: 'a single column that is given or not',
        up: 'create table users (id bigint primary key, phone text unique);',
      },
      {
        title: 'where both are there',
        up: `create table prices (id bigint primary key, plan text not null, region text);
create unique index prices_key on prices (plan, region) where region is not null;`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      for (const index of table.indexes) {
        if (!index.unique || index.columns.length < 2 || index.predicate !== null) continue
        if (/ NULLS NOT DISTINCT/.test(index.definition)) continue
        const optional = index.columns.filter(name => isNullable(table, name))
        if (optional.length === 0) continue
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `${index.name} on ${qualified(table)} (${index.columns.join(', ')}) does not hold for rows in which ${optional.join(' or ')} is null.`,
        }
      }
    }
  },
}

function isNullable(table: Table, name: string): boolean {
  return table.columns.some(column => column.name === name && column.nullable)
}

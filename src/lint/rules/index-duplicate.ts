import { type Index, qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { tableNamed } from '../subjects/columns.ts'

export const rule: SchemaRule = {
  name: 'index-duplicate',
  category: 'indexes',
  severity: 'warning',
  shape: 'schema',
  title: 'Two indexes are the same',
  why: `Both are written with every row and take room in memory, and the planner uses one of them. A unique constraint and a primary key bring
an index of their own, which is easily made a second time by hand.`,
  instead: 'Keep the one that a constraint needs, and drop the other one concurrently.',
  examples: {
    bad: [
      {
        title: 'beside a unique key',
        up: 'create table users (id bigint primary key, email text unique); create index users_email_idx on users (email);',
      },
      {
        title: 'twice by hand',
        before: 'create table users (id bigint primary key, name text); create index users_name_idx on users (name);',
        up: 'create index users_by_name on users (name);',
      },
    ],
    good: [
      {
        title: 'another order, another operator class, another predicate',
        up: `create table users (id bigint primary key, name text, active boolean not null);
create index users_name_idx on users (name, id);
create index users_name_pattern_idx on users (name text_pattern_ops, id);
create index users_active_idx on users (name, id) where active;`,
      },
    ],
  },
  *check({ schema, before }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const groups = new Map<string, Index[]>()
      for (const index of table.indexes.filter(one => one.valid)) {
        const group = groups.get(shapeOf(index)) ?? []
        groups.set(shapeOf(index), [...group, index])
      }
      const old = new Set(tableNamed(before, qualified(table))?.indexes.map(index => index.name))
      for (const group of groups.values()) {
        const [kept, ...others] = [...group].sort((a, b) => rank(a, old) - rank(b, old))
        for (const other of others) {
          yield {
            object: `${qualified(table)}.${other.name}`,
            message: `The index ${other.name} on ${qualified(table)} (${other.columns.join(', ')}) is the same as ${kept?.name}.`,
            hint: kept?.constraint
              ? `Leave ${other.name} out; ${kept.name} belongs to a constraint and serves the same.`
              : 'Keep one of them.',
          }
        }
      }
    }
  },
}

/** Everything but the name and whether it is unique. */
function shapeOf({ definition }: Index): string {
  return definition.replace(/^CREATE (UNIQUE )?INDEX .*? ON (ONLY )?/s, '')
}

/** What was there before, what a constraint owns and what keeps rows unique is kept. */
function rank(index: Index, old: ReadonlySet<string>): number {
  return (index.constraint ? 0 : 4) + (index.unique ? 0 : 2) + (old.has(index.name) ? 0 : 1)
}

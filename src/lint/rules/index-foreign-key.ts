import { type ForeignKey, qualified, type Schema, type Table } from '../../schema/model.ts'
import { needsNoQuotes } from '../rewrite.ts'
import type { SchemaRule, Settings } from '../rule.ts'
import { isIndexed } from '../subjects/indexes.ts'

export const rule: SchemaRule = {
  name: 'index-foreign-key',
  category: 'indexes',
  severity: 'warning',
  shape: 'schema',
  title: 'A foreign key has no index',
  why: `PostgreSQL indexes the key that is pointed to, not the columns that point. Each delete there, and each change of the key, then reads
the whole table that points, once a row and while it holds locks; so does every join from the parent to its children. The index must begin
with the columns of the key, in any order; a partial one serves only where it leaves out nothing but nulls.`,
  instead: 'Create an index that begins with the columns of the foreign key, concurrently where the table is in use.',
  examples: {
    bad: [
      {
        title: 'nothing but the primary key',
        before: 'create table users (id bigint primary key);',
        up: 'create table logins (id bigint primary key, user_id bigint not null references users (id) on delete cascade);',
      },
      {
        title: 'the index begins with another column',
        before: 'create table users (id bigint primary key);',
        up: `create table logins (id bigint primary key, at timestamptz, user_id bigint not null references users (id));
create index logins_at_user_idx on logins (at, user_id);`,
      },
      {
        title: 'a partial index does not find every row',
        before: 'create table users (id bigint primary key);',
        up: `create table logins (id bigint primary key, open boolean not null, user_id bigint not null references users (id));
create index logins_user_idx on logins (user_id) where open;`,
      },
      {
        title: 'the index goes',
        before: `create table users (id bigint primary key);
create table logins (id bigint primary key, user_id bigint references users (id));
create index logins_user_idx on logins (user_id);`,
        up: 'drop index logins_user_idx;',
      },
      {
        title: 'in a block of code',
        before: 'create table users (id bigint primary key); create table logins (id bigint primary key);',
        up: "do $$ begin execute 'alter table logins add column user_id bigint references users (id)'; end $$;",
      },
    ],
    good: [
      {
        title: 'an index of its own',
        before: 'create table users (id bigint primary key);',
        up: `create table logins (id bigint primary key, user_id bigint not null references users (id));
create index logins_user_idx on logins (user_id, id);`,
      },
      {
        title: 'the primary key begins with it, in another order',
        before: 'create table users (tenant_id bigint, id bigint, primary key (tenant_id, id));',
        up: `create table seats (user_id bigint, tenant_id bigint, room bigint, primary key (user_id, tenant_id, room),
  foreign key (tenant_id, user_id) references users (tenant_id, id));`,
      },
      {
        title: 'only nulls are left out',
        before: 'create table users (id bigint primary key);',
        up: `create table logins (id bigint primary key, user_id bigint references users (id));
create index logins_user_idx on logins (user_id) where user_id is not null;`,
      },
    ],
  },
  *check({ schema, settings }) {
    const taken = namesTaken(schema)
    for (const table of schema.tables) {
      for (const key of table.foreignKeys) {
        if (isIndexed(table, key.columns) || isIndexed(table, withoutTenant(key, settings))) continue
        const name = qualified(table)
        const columns = key.columns.join(', ')
        const statement = `create index ${indexName(taken(table.schema), table, key)} on ${name} (${columns})`
        const isPlain = needsNoQuotes(table.schema, table.name, ...key.columns)
        yield {
          object: `${name}.${key.name}`,
          message: `The foreign key ${key.name} on ${name} (${columns}) has no index, so each delete in ${key.references} reads all of ${name}.`,
          hint: `Run: ${statement};`,
          ...(isPlain ? { addition: { title: 'Index it', statement, table: name } } : {}),
        }
      }
    }
  },
}

/** What is left tells rows apart well enough, since it names one row of the parent. */
function withoutTenant({ columns }: ForeignKey, { tenantColumn }: Settings): readonly string[] {
  return columns.length > 1 ? columns.filter(column => column !== tenantColumn) : columns
}

/** A short name, unless something of the schema has it. */
function indexName(taken: ReadonlySet<string>, { name }: Table, { columns }: ForeignKey): string {
  const short = `${name}_${(columns.at(-1) ?? '').replace(/_id$/, '')}_idx`
  return taken.has(short) ? `${name}_${columns.join('_')}_fkey_idx` : short
}

/** What tables and indexes of a schema are called, found out once. */
function namesTaken({ tables }: Schema): (schema: string) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>()
  return schema => {
    const own = () => tables.filter(one => one.schema === schema)
    const taken =
      known.get(schema) ?? new Set(own().flatMap(one => [one.name, ...one.indexes.map(index => index.name)]))
    known.set(schema, taken)
    return taken
  }
}

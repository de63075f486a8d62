import { type Index, qualified } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { methodOf } from '../subjects/indexes.ts'

export const rule: SchemaRule = {
  name: 'index-redundant',
  category: 'indexes',
  severity: 'warning',
  shape: 'schema',
  title: 'An index is the beginning of another one',
  why: `An index on (a, b) finds rows by a alone nearly as fast as one on (a). The shorter one costs a write with every row and hinders the cheap
kind of update, and gains little. It may stay where the longer one is many times as large; allow it then.`,
  instead: 'Drop the shorter index, unless it keeps rows unique.',
  examples: {
    bad: [
      {
        title: 'the primary key begins with it',
        up: `create table seats (tenant_id bigint, id bigint, primary key (tenant_id, id));
create index seats_tenant_idx on seats (tenant_id);`,
      },
      {
        title: 'a longer one comes later',
        before: 'create table logs (id bigint primary key, kind text); create index logs_kind_idx on logs (kind);',
        up: 'create index logs_kind_id_idx on logs (kind, id);',
      },
    ],
    good: [
      {
        title: 'a shorter one that keeps rows unique',
        up: 'create table users (id bigint primary key, email text unique, name text); create index users_email_name_idx on users (email, name);',
      },
      {
        title: 'another direction, method or predicate',
        up: `create table logs (id bigint primary key, kind text, at timestamptz, done boolean not null);
create index logs_kind_idx on logs (kind, at);
create index logs_kind_open_idx on logs (kind) where not done;
create index logs_kind_hash_idx on logs using hash (kind);
create index logs_kind_desc_idx on logs (kind desc);`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const indexes = table.indexes.filter(index => index.valid && methodOf(index) === 'btree')
      for (const index of indexes.filter(one => !one.unique && !one.constraint)) {
        const longer = indexes.find(other => other !== index && beginsWith(other, index))
        if (!longer) continue
        yield {
          object: `${qualified(table)}.${index.name}`,
          message: `The index ${index.name} on ${qualified(table)} (${index.columns.join(', ')}) is the beginning of ${longer.name} (${longer.columns.join(', ')}).`,
          hint: `Run, in a migration of its own: drop index concurrently ${table.schema}.${index.name};`,
        }
      }
    }
  },
}

/** Compares keys as they are printed, so with their order, collation and operator class. */
function beginsWith(longer: Index, index: Index): boolean {
  const [keys, others] = [keysOf(index), keysOf(longer)]
  return (
    keys !== null &&
    others !== null &&
    others.length > keys.length &&
    keys.every((key, at) => key === others[at]) &&
    index.predicate === longer.predicate
  )
}

/** Null where it also includes columns or has settings, since a shorter one may then have its use. */
function keysOf({ definition }: Index): readonly string[] | null {
  const keys = / USING btree \((.*?)\)(?: WHERE .*)?$/s.exec(definition)?.[1]
  return keys === undefined || /[()]/.test(keys) ? null : keys.split(', ')
}

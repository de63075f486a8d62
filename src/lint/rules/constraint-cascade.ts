import { qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule, Settings } from '../rule.ts'
import { keepsHistory } from '../subjects/names.ts'

const manyRows = 1_000_000

export const rule: SchemaRule = {
  name: 'constraint-cascade',
  category: 'constraints',
  severity: 'warning',
  shape: 'schema',
  title: 'A delete takes history, or very many rows, along',
  why: `\`on delete cascade\` deletes the children in the same statement, without asking: one deleted user takes the audit trail of what he did
along, and one deleted tenant a hundred million events, in a transaction that holds its locks for hours.`,
  instead:
    'Use `on delete restrict` and delete in batches, or keep an id without a foreign key in a log that must outlive what it tells of.',
  examples: {
    bad: [
      {
        title: 'an audit log',
        before: 'create table users (id bigint primary key);',
        up: `create table audit_log (id bigint primary key, user_id bigint not null references users (id) on delete cascade);
create index audit_log_user_idx on audit_log (user_id);`,
      },
      {
        title: 'a partitioned table',
        before: 'create table users (id bigint primary key);',
        up: `create table visits (user_id bigint references users (id) on delete cascade, at date, primary key (user_id, at)) partition by range (at);
create table visits_rest partition of visits default;`,
      },
      {
        title: 'a table that is large on the target',
        settings: { targetRows: { 'public.photos': 40_000_000 } },
        before: `create table users (id bigint primary key);
create table photos (id bigint primary key, user_id bigint); create index photos_user_idx on photos (user_id);`,
        up: 'alter table photos add constraint photos_user_fk foreign key (user_id) references users (id) on delete cascade;',
      },
    ],
    good: [
      {
        title: 'what belongs to it',
        before: 'create table users (id bigint primary key);',
        up: `create table user_settings (user_id bigint primary key references users (id) on delete cascade, theme text);`,
      },
    ],
  },
  *check({ schema, settings }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      const reason = reasonToKeep(table, settings)
      if (reason === null) continue
      for (const key of table.foreignKeys.filter(one => one.onDelete === 'cascade')) {
        yield {
          object: `${qualified(table)}.${key.name}`,
          message: `A delete in ${key.references} deletes its rows in ${qualified(table)}, which ${reason}.`,
        }
      }
    }
  },
}

function reasonToKeep(table: Table, { targetRows }: Settings): string | null {
  if (keepsHistory(table.name)) return 'keeps a record of what happened'
  if (table.partitioning) return 'is partitioned, so probably large'
  const rows = targetRows[qualified(table)] ?? 0
  return rows >= manyRows ? `has ${Math.round(rows / manyRows)} million rows on the target` : null
}

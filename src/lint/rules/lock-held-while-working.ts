import type { StatementRule, StatementView } from '../rule.ts'
import { opaqueKinds, sized } from '../use.ts'
import { locksHeld, tablesWorked } from '../weight.ts'

export const rule: StatementRule = {
  name: 'lock-held-while-working',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: [
    'UpdateStmt',
    'DeleteStmt',
    'MergeStmt',
    'InsertStmt',
    'CreateTableAsStmt',
    'IndexStmt',
    'AlterTableStmt',
    ...opaqueKinds,
  ],
  title: 'Rows are worked through while an earlier statement of the transaction keeps everybody out of a table',
  why: `A lock is held until the transaction ends. An \`alter table\` that takes a millisecond keeps readers and writers out for as long as the
backfill, the check or the index behind it takes.`,
  instead:
    'Move the work into a later file, or write `-- plinth: transaction=statement` (or `batch=1000`) at the top of this one.',
  examples: {
    bad: [
      {
        title: 'a backfill behind a new column',
        before: 'create table users (id bigint primary key, name text);',
        up: 'alter table users add column shown_name text;\nupdate users set shown_name = name where shown_name is null;',
      },
      {
        title: 'another table is read meanwhile',
        before: 'create table users (id bigint primary key);\ncreate table names (id bigint, name text);',
        up: 'alter table users add column name text;\ncreate table named as select id from names;',
      },
    ],
    good: [
      {
        title: 'each statement in a transaction of its own',
        before: 'create table users (id bigint primary key, name text);',
        up: '-- plinth: transaction=statement\nalter table users add column shown_name text;\nupdate users set shown_name = name where shown_name is null;',
      },
      {
        title: 'a few rows by their key',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column shown_name text;\nupdate users set shown_name = $$x$$ where id = 1;',
      },
      {
        title: 'the table is as new',
        up: 'create table users (id bigint primary key);\nalter table users add column name text;\nupdate users set name = $$x$$;',
      },
    ],
  },
  *check(view) {
    if (view.statement.index === 0) return
    const [worked] = tablesWorked(view)
    const holder = worked === undefined ? null : findHolder(view)
    if (worked === undefined || !holder) return
    yield {
      message: `Nobody can use ${sized(view, holder.table)}, which line ${holder.line} locked, while this works through ${sized(view, worked)}.`,
      object: holder.table,
    }
  },
}

/** A statement that works under a lock of its own kind has a rule of its own, so its own table is left out there. */
function findHolder(view: StatementView): { readonly table: string; readonly line: number } | null {
  const own = /^(AlterTable|Index)Stmt$/.test(view.statement.kind) ? tablesWorked(view) : []
  for (const { by, tables } of locksHeld(view)) {
    const table = tables.find(name => !own.includes(name))
    if (table !== undefined) return { table, line: by.statement.line }
  }
  return null
}

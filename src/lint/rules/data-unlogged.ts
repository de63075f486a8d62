import { alterations, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-unlogged',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['SetUnLogged'],
  title: 'A table leaves the write-ahead log',
  why: `After a crash PostgreSQL empties every unlogged table, replicas do not hold its rows, and a restore to a point in time finds it empty. No
archive can help, since the loss comes later.`,
  instead: 'Leave the table logged. Speed up a large load by dropping indexes first, or load into a table of its own.',
  examples: {
    bad: [
      {
        title: 'a table in use',
        before: 'create table visits (id bigint primary key);',
        up: 'alter table visits set unlogged;',
      },
    ],
    good: [
      {
        title: 'into the log',
        before: 'create unlogged table visits (id bigint primary key);',
        up: 'alter table visits set logged;',
      },
    ],
  },
  *check(view) {
    const table = alterations(view).some(({ kind }) => kind === 'SetUnLogged') ? inUse(view, targetOf(view)) : null
    if (table === null) return
    yield { message: `${sized(view, table)} is empty after a crash from here on, and on every replica.`, object: table }
  },
}

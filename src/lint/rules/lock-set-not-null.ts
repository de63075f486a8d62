import { alterations, columnsAdded, constraintsAdded, targetOf } from '../alter.ts'
import { isSame, tableIn } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, sized, wasSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-set-not-null',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['SetNotNull', 'CONSTR_NOTNULL'],
  title: 'A column becomes not null while every row is read and nobody can use the table',
  why: `\`set not null\` reads the whole table under \`ACCESS EXCLUSIVE\`, unless a valid \`check (<column> is not null)\` proves that there are
no nulls. Since PostgreSQL 18 a not-null constraint can be added \`not valid\` as well and validated later.`,
  instead: `Add \`check (<column> is not null) not valid\`, validate it in a later file, then \`set not null\` and drop the check.
On PostgreSQL 18 or later: \`alter table … add constraint … not null <column> not valid\`, then \`validate constraint\` in a later file.`,
  examples: {
    bad: [
      {
        title: 'without a check that proves it',
        before: 'create table users (id bigint primary key, email text);',
        up: 'alter table users alter column email set not null;',
      },
    ],
    good: [
      {
        title: 'with a valid check',
        before:
          'create table users (id bigint primary key, email text);\nalter table users add constraint email_filled check (email is not null);',
        up: 'alter table users alter column email set not null;\nalter table users drop constraint email_filled;',
      },
      {
        title: 'on a table of the same file',
        up: 'create table users (id bigint primary key, email text);\nalter table users alter column email set not null;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    const columns = [
      ...alterations(view)
        .filter(({ kind }) => kind === 'SetNotNull')
        .map(({ name }) => name),
      ...constraintsAdded(view)
        .filter(({ type, notValid, inline }) => type === 'not null' && !notValid && !inline)
        .flatMap(one => one.columns),
    ]
    if (table === null || columns.length === 0 || !readsRows(view, table)) return
    // One that the same statement adds without a default is refused as soon as there is a row: compat-not-null-without-default.
    const empty = columnsAdded(view).flatMap(({ name, defaultNode }) => (defaultNode === null ? [name] : []))
    for (const column of columns.filter(name => !empty.includes(name))) {
      if (tableIn(view.file.before, table)?.columns.some(({ name, nullable }) => name === column && !nullable)) continue
      yield {
        message: `Nobody can use ${sized(view, table)} while every row is read for nulls in ${column}.`,
        object: `${table}.${column}`,
      }
    }
  },
}

/** Without a rehearsal: a check that the file validates, or drops behind it, may be the one that proves it. */
function readsRows(view: StatementView, table: string): boolean {
  if (view.seen) return wasSeen(view, 'scans', table)
  return !statementsOf(view.file, 'AlterTableStmt').some(
    other =>
      isSame(table, targetOf(other)) &&
      alterations(other).some(({ kind }) => kind === 'ValidateConstraint' || kind === 'DropConstraint'),
  )
}

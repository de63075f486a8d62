import { targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { typeChanges } from '../type-change.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-narrow-type',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['AlterColumnType'],
  title: 'A column gets a type that holds less than its old one',
  why: `Values that do not fit make the statement fail in production, or are cut and rounded without a word: fewer decimals, a timestamp that
becomes a date, a \`using\` that shortens. An apply keeps the old values in the archive for the opposite step.`,
  instead: `Look first for values that do not fit (a check of the migration can do that before it runs), and change the type through a new column
when there are some.`,
  examples: {
    bad: [
      {
        title: 'fewer decimals',
        before: 'create table bills (id bigint primary key, amount numeric(12,4));',
        up: 'alter table bills alter column amount type numeric(12,2);',
      },
      {
        title: 'less than a domain holds',
        before: 'create domain address as varchar(80);\ncreate table users (id bigint primary key, email address);',
        up: 'alter table users alter column email type varchar(40);',
        only: 'rehearsal',
      },
      {
        title: 'a smaller integer',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users alter column id type integer;',
      },
    ],
    good: [
      {
        title: 'the type behind a domain',
        before: 'create domain address as varchar(20);\ncreate table users (id bigint primary key, email address);',
        up: 'alter table users alter column email type varchar(40);',
      },
      {
        title: 'a longer text',
        before: 'create table users (id bigint primary key, name varchar(20));',
        up: 'alter table users alter column name type varchar(40);',
      },
      {
        title: 'a larger integer',
        before: 'create table users (id integer primary key);',
        up: 'alter table users alter column id type bigint;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const { column, from, to, narrows } of typeChanges(view)) {
      if (!narrows) continue
      yield {
        message: `${column} of ${sized(view, table)} goes from ${from} to ${to}, which does not hold every old value.`,
        object: `${table}.${column}`,
      }
    }
  },
}

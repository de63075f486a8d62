import { alterations, columnsAdded, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-not-null-without-default',
  category: 'compatibility',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_NOTNULL', 'CONSTR_PRIMARY', 'SetNotNull'],
  title: 'A column that may not be null is added to a table with rows, without a default',
  why: `PostgreSQL refuses it as soon as the table has one row (SQLSTATE 23502), which an empty development database never shows. Where it passes,
inserts of the application that still runs fail, since they do not know the column.`,
  instead:
    'Give it a default that is the same for every row, or add it nullable, fill it, and make it `not null` in a later file.',
  examples: {
    bad: [
      {
        title: 'on a table in use',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column name text not null;',
      },
      {
        title: 'in two parts of one statement',
        before: 'create table users (id bigint primary key);',
        up: "alter table users add column name text, alter column name set default '', alter column name set not null;",
      },
    ],
    good: [
      {
        title: 'with a default',
        before: 'create table users (id bigint primary key);',
        up: "alter table users add column name text not null default '';",
      },
      {
        title: 'nullable',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column name text;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    const later = alterations(view).flatMap(({ kind, name }) => (kind === 'SetNotNull' ? [name] : []))
    for (const { name, type, isNotNull, isIdentity, defaultNode, generated } of columnsAdded(view)) {
      if (!isNotNull && !later.includes(name)) continue
      if (isIdentity || defaultNode !== null || generated !== null || /serial[248]?$/.test(type)) continue
      yield {
        message: `The statement fails as soon as ${sized(view, table)} has a row, since ${name} would be null there.`,
        object: `${table}.${name}`,
      }
    }
  },
}

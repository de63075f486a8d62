import type { Schema } from '../../schema/model.ts'
import { fieldsOf, relationName } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { madeNames, nameKinds } from '../subjects/made-names.ts'

export const rule: StatementRule = {
  name: 'name-snake-case',
  category: 'naming',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: nameKinds,
  alters: ['ColumnDef', 'Constraint'],
  title: 'A name must be quoted to be found',
  why: `PostgreSQL folds names to small letters unless they are quoted, so \`"userId"\` is not found as \`userId\`: every query, in every language and tool, must quote it
for ever. A folder whose names are mostly written that way already has decided, and is left alone.`,
  instead: 'Write small letters, digits and underscores: `user_id`.',
  examples: {
    bad: [
      { title: 'a column', up: 'create table users (id bigint primary key, "firstName" text);' },
      { title: 'a table with a blank', up: 'create table "my users" (id bigint primary key);' },
      {
        title: 'in a block of code',
        up: `do $$ begin execute 'create table "Users" (id bigint primary key)'; end $$;`,
        only: 'rehearsal',
      },
    ],
    good: [
      { title: 'small letters', up: 'create table users (id bigint primary key, first_name text, address_2 text);' },
      { title: 'unquoted names are folded', up: 'CREATE TABLE Users (Id bigint primary key, FirstName text);' },
      {
        title: 'the folder has decided',
        before:
          'create table "User" (id bigint primary key, "aB" text, "cD" text, "eF" text, "gH" text, "iJ" text, "kL" text, "mN" text, "oP" text, "qR" text, "sT" text);',
        up: 'alter table "User" add column "firstName" text;',
      },
    ],
  },
  *check(view) {
    const names = madeNames(view).filter(({ name }) => !isPlain(name))
    if (names.length === 0 || isCustom(view.file.before) || extendsQuoted(view)) return
    for (const { kind, name, object } of names) {
      yield { object, message: `The ${kind} ${JSON.stringify(name)} must be quoted wherever it is used.` }
    }
  },
}

function isPlain(name: string): boolean {
  return /^[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*$/.test(name) && name === name.toLowerCase()
}

/** It adds to an older table that must be quoted itself. */
function extendsQuoted({ statement, fields, file }: StatementView): boolean {
  const relation = relationName(fieldsOf(fields, 'relation'))
  return (
    /^(AlterTable|Index)Stmt$/.test(statement.kind) &&
    !isPlain(lastPart(relation)) &&
    !file.text.madeHere(relation, statement.index)
  )
}

function lastPart(relation: string): string {
  return relation.slice(relation.lastIndexOf('.') + 1)
}

/** Most of at least ten columns that were there before must be quoted. */
function isCustom(before: Schema | null): boolean {
  const names = before?.tables.flatMap(table => table.columns.map(column => column.name)) ?? []
  const quoted = names.filter(name => !isPlain(name))
  return names.length >= 10 && quoted.length * 2 > names.length
}

import { targetOf } from '../alter.ts'
import { tableIn } from '../catalog.ts'
import type { Problem, StatementRule, StatementView } from '../rule.ts'
import { type TypeChange, typeChanges } from '../type-change.ts'
import { inUse, sized, wasSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'rewrite-column-type',
  category: 'rewrites',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['AlterColumnType'],
  title: 'A change of type writes the whole table or its indexes anew',
  why: `Most changes of a column's type write the table and all its indexes anew under \`ACCESS EXCLUSIVE\`. Free are a longer or unlimited
\`varchar\`, \`varchar\` to \`text\`, and a \`numeric\` with more digits and the same scale. Some changes keep the table and build indexes anew.`,
  instead: `Add a column of the new type, let a trigger fill it for new rows, fill the old ones in batches, and change over in a later file.
\`plinth new --expand\` writes those files.`,
  examples: {
    bad: [
      {
        title: 'a longer text that an index on an expression reads',
        before:
          'create table users (id bigint primary key, name varchar(40));\ncreate index users_name on users (lower(name));',
        up: 'alter table users alter column name type varchar(200);',
        only: 'rehearsal',
      },
      {
        title: 'longer elements of an array',
        before: 'create table users (id bigint primary key, tags varchar(20)[]);',
        up: 'alter table users alter column tags type varchar(40)[];',
      },
      {
        title: 'a larger integer',
        before: 'create table users (id bigint primary key, score integer);',
        up: 'alter table users alter column score type bigint;',
      },
      {
        title: 'another scale',
        before: 'create table bills (id bigint primary key, amount numeric(10,2));',
        up: 'alter table bills alter column amount type numeric(12,4);',
      },
      {
        title: 'an interval that keeps less',
        before: 'create table stays (id bigint primary key, lasted interval);',
        up: 'alter table stays alter column lasted type interval(3);',
      },
      {
        title: 'a conversion that cuts',
        before: 'create table users (id bigint primary key, name varchar(40));',
        up: 'alter table users alter column name type text using name::varchar(10);',
      },
      {
        title: 'a shorter text',
        before: 'create table users (id bigint primary key, name varchar(40));',
        up: 'alter table users alter column name type varchar(20);',
      },
    ],
    good: [
      {
        title: 'a conversion that changes nothing',
        before: 'create table users (id bigint primary key, name varchar(40));',
        up: 'alter table users alter column name type text using users.name::varchar(80);',
      },
      {
        title: 'an interval that keeps more',
        before: 'create table stays (id bigint primary key, lasted interval(2));',
        up: 'alter table stays alter column lasted type interval(4);',
      },
      {
        title: 'bits without a limit',
        before: 'create table flags (id bigint primary key, marks bit(8));',
        up: 'alter table flags alter column marks type bit varying;',
      },
      {
        title: 'a longer text',
        before:
          'create table users (id bigint primary key, name varchar(40));\ncreate index users_name on users (name);',
        up: 'alter table users alter column name type varchar(200);',
      },
      {
        title: 'no limit',
        before: 'create table users (id bigint primary key, name varchar(40));',
        up: 'alter table users alter column name type text;',
      },
      {
        title: 'more digits',
        before: 'create table bills (id bigint primary key, amount numeric(10,2));',
        up: 'alter table bills alter column amount type numeric(12,2);',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const change of typeChanges(view)) {
      const told = view.seen
        ? seenAs(view, table, change)
        : change.cost === 'rewrite'
          ? 'every row is written anew'
          : null
      if (told) yield problem(view, table, change, told)
    }
  },
}

function seenAs(view: StatementView, table: string, { column, cost }: TypeChange): string | null {
  const { seen, file } = view
  if (!seen) return null
  // Another change of the same statement may write the table anew.
  if (wasSeen(view, 'rewrites', table)) return cost === 'free' ? null : 'every row is written anew'
  const model = tableIn(file.before, table)
  const indexes = (model?.indexes ?? []).filter(
    ({ name, columns, definition }) =>
      seen.rewrites.includes(`${model?.schema}.${name}`) && (columns.includes(column) || definition.includes(column)),
  )
  if (indexes.length > 0) return `${indexes.map(({ name }) => name).join(', ')} is built anew`
  return cost !== 'free' && wasSeen(view, 'scans', table) ? 'every row is read' : null
}

function problem(view: StatementView, table: string, { column, from, to }: TypeChange, told: string): Problem {
  return {
    message: `Nobody can use ${sized(view, table)} until ${told} for ${column}, which becomes ${becoming(from, to)}.`,
    object: `${table}.${column}`,
  }
}

/** A new enum often takes the name of the old one over within the file. */
function becoming(from: string | null, to: string): string {
  if (from === null) return to
  return from === to ? `another type of the name ${to}` : `${to} and was ${from}`
}

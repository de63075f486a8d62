import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-small-key',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A generated key runs out of numbers',
  why: `\`integer\` ends at 2,147,483,647 and \`smallint\` at 32,767. Sequences count rolled back inserts too, so a busy table is there within
years, and then every insert fails. Widening the key later rewrites the table and everything that refers to it, under an exclusive lock.`,
  instead: `Use \`bigint generated always as identity\`. It costs four bytes a row, often none after alignment. A small key that people choose
themselves, such as a country's number, is fine.`,
  examples: {
    bad: [
      {
        title: 'an identity of type integer',
        up: 'create table invoices (id integer generated always as identity primary key);',
      },
      { title: 'a serial', up: 'create table invoices (id serial primary key, total numeric not null);' },
      {
        title: 'a plain integer called id',
        up: 'create table invoices (id int not null, constraint invoices_pk primary key (id));',
      },
      {
        title: 'in a block of code',
        up: "do $$ begin execute 'create table invoices (id serial primary key)'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      { title: 'a bigint', up: 'create table invoices (id bigint generated always as identity primary key);' },
      {
        title: 'a small number that people choose',
        up: 'create table plans (code smallint primary key, name text not null);',
      },
      {
        title: 'a key that follows the one it refers to',
        before: 'create table legacy (id integer primary key);',
        up: 'create table legacy_details (id integer primary key references legacy (id), note text);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (column.key !== 'alone' || column.foreign || !/^(integer|smallint)$/.test(column.type)) continue
      if (column.counted === null && column.name !== 'id') continue
      const end = column.type === 'integer' ? '2,147,483,647' : '32,767'
      yield columnProblem(
        view,
        column,
        `The key ${column.table}.${column.name} is of type ${column.type}, which ends at ${end}.`,
        `Make it \`${column.name} bigint generated always as identity\`.`,
      )
    }
  },
}

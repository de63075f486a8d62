import type { StatementRule } from '../rule.ts'
import { allWritten, placeOf, writesWithin } from '../tautology.ts'
import { sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-delete-all',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DeleteStmt', 'SelectStmt', 'InsertStmt', 'UpdateStmt', 'ExplainStmt', 'DoStmt'],
  title: 'A delete without a condition takes every row',
  why: `Without a \`where\`, or with one that is true for every row, all rows go; most often a condition was forgotten. An apply keeps the rows in
the archive, yet one statement over all rows locks them all until it ends.`,
  instead: 'Say in a `where` which rows must go. Where all of them must, say so in the reason of an allowance.',
  examples: {
    bad: [
      {
        title: 'no condition',
        before: 'create table visits (id bigint);',
        up: 'delete from visits;',
      },
      {
        title: 'a condition that is always true',
        before: 'create table visits (id bigint);',
        up: 'delete from visits where 1 = 1;',
      },
      {
        title: 'within a block',
        before: 'create table visits (id bigint);',
        up: 'do $$ begin if exists (select from visits) then delete from visits; end if; end $$;',
      },
      {
        title: 'composed by a block',
        before: 'create table visits (id bigint);',
        up: "do $$ begin execute format('delete from %I', 'visits'); end $$;",
        only: 'rehearsal',
      },
      {
        title: 'composed by a block in a variable',
        before: 'create table visits (id bigint);',
        up: "do $$ declare run text; begin run := 'delete from ' || 'visits'; raise notice '%', run; execute run; end $$;",
      },
      {
        title: 'within another statement',
        before: 'create table visits (id bigint);\ncreate table kept (id bigint);',
        up: 'with gone as (delete from visits returning id) insert into kept select id from gone;',
      },
    ],
    good: [
      {
        title: 'with a condition',
        before: 'create table visits (id bigint, at timestamptz);',
        up: "delete from visits where at < '2020-01-01';",
      },
      {
        title: 'with a condition, in a block',
        before: 'create table visits (id bigint, at timestamptz);',
        up: "do $$ begin execute format('delete from %I where at < %L', 'visits', '2020-01-01'); end $$;",
      },
      {
        title: 'a text that gets its condition later, or is only shown',
        before: 'create table visits (id bigint, at timestamptz);',
        up: `do $$ declare run text := 'delete from visits';
begin raise notice '%', 'delete from visits'; run := run || ' where at is null'; execute run; end $$;`,
      },
      {
        title: 'a table that the block makes',
        up: 'do $$ begin create temporary table chosen on commit drop as select 1 as id; delete from chosen; end $$;',
      },
    ],
  },
  *check(view) {
    for (const write of writesWithin(view, 'DeleteStmt')) {
      for (const table of allWritten(view, write))
        yield { message: `Every row of ${sized(view, table)} is deleted.`, object: table, ...placeOf(write) }
    }
  },
}

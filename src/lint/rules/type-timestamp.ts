import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-timestamp',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A time is stored without its zone',
  why: `\`timestamp\` is what a clock on some wall showed. Which wall is known to nobody: \`now()\` is turned into the local time of the session
that happens to write, so two sessions store different values for one instant, and an hour is missing and another one doubled every year.
\`timestamptz\` takes the same eight bytes and is an instant.`,
  instead:
    'Use `timestamptz`. Keep `timestamp` for what is local by nature, such as opening hours, and allow it there with the reason.',
  examples: {
    bad: [
      {
        title: 'when a row was written',
        up: 'create table visits (id bigint primary key, created_at timestamp not null default now());',
      },
      {
        title: 'with a precision, added later',
        before: 'create table visits (id bigint primary key);',
        up: 'alter table visits add column left_at timestamp(3) without time zone;',
      },
    ],
    good: [
      {
        title: 'an instant',
        up: 'create table visits (id bigint primary key, created_at timestamptz not null default now());',
      },
      { title: 'a day', up: 'create table visits (id bigint primary key, day date not null);' },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^timestamp(\(\d\))? without time zone/.test(column.type)) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} stores a time without its zone.`,
        `Write \`${column.name} timestamptz\`.`,
      )
    }
  },
}

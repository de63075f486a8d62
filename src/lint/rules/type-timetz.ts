import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-timetz',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A time of day has a zone but no day',
  why: `The offset of a zone depends on the day, which \`timetz\` does not have: what it holds is wrong for half of the year. PostgreSQL's own
documentation keeps it for the standard's sake alone.`,
  instead: 'Use `timestamptz` for an instant, or `time` beside a column with the name of the zone.',
  examples: {
    bad: [
      {
        title: 'when a shop opens',
        up: 'create table shops (id bigint primary key, opens_at time with time zone not null);',
      },
    ],
    good: [
      {
        title: 'local time and its zone',
        up: 'create table shops (id bigint primary key, opens_at time not null, time_zone text not null);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^time(\(\d\))? with time zone/.test(column.type)) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} is a time of day with an offset, which depends on the day.`,
      )
    }
  },
}

import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-char',
  category: 'types',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A text is padded with blanks',
  why: `\`char(n)\` fills every value with blanks up to its length, ignores them in comparisons and loses them in casts, and saves neither room
nor time: PostgreSQL stores it as it stores \`text\`. A shorter value is accepted, so it does not even hold the length.`,
  instead: "Use `text`, with a check where the length matters: `check (code ~ '^[A-Z]{3}$')`.",
  examples: {
    bad: [
      {
        title: 'a currency of three letters',
        up: 'create table prices (id bigint primary key, currency char(3) not null);',
      },
      {
        title: 'char alone is char(1)',
        before: 'create table prices (id bigint primary key);',
        up: 'alter table prices add column flag char;',
      },
    ],
    good: [
      {
        title: 'a text with a check',
        up: "create table prices (id bigint primary key, currency text not null check (currency ~ '^[A-Z]{3}$'));",
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^character(\(\d+\))?(\[\])?$/.test(column.type)) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} is of type ${column.type}, which pads values with blanks.`,
      )
    }
  },
}

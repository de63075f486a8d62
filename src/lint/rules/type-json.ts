import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-json',
  category: 'types',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'JSON is stored as text',
  why: `\`json\` keeps the text as it came and reads it again for every access. It has no equality, so \`select distinct\`, \`group by\` and
\`union\` over the table fail, and no index can serve a search within it.`,
  instead: 'Use `jsonb`, unless the exact text or the order of keys must be kept.',
  examples: {
    bad: [
      {
        title: 'settings of a user',
        up: "create table profiles (id bigint primary key, settings json not null default '{}');",
      },
    ],
    good: [
      {
        title: 'the same as jsonb',
        up: "create table profiles (id bigint primary key, settings jsonb not null default '{}');",
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^json(\[\])?$/.test(column.type)) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} is json, which has no equality and no index.`,
        `Write \`${column.name} jsonb\`.`,
      )
    }
  },
}

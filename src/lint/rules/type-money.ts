import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-money',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'An amount depends on a setting of the server',
  why: `What \`money\` prints and reads, how many decimals it has and which currency it means follow from \`lc_monetary\`. A dump that is restored
under another locale says other amounts. It knows no fractions of a cent either.`,
  instead: 'Use `numeric(14, 2)`, or `bigint` for the smallest unit, beside a column with the currency.',
  examples: {
    bad: [{ title: 'a total', up: 'create table orders (id bigint primary key, total money not null);' }],
    good: [
      {
        title: 'a number and its currency',
        up: 'create table orders (id bigint primary key, total numeric(14, 2) not null, currency text not null);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^money(\[\])?$/.test(column.type)) continue
      yield columnProblem(
        view,
        column,
        `What ${column.table}.${column.name} means depends on lc_monetary of the server.`,
      )
    }
  },
}

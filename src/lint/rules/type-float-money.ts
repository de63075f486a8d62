import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-float-money',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'Money is stored as a fraction of two',
  why: `\`real\` and \`double precision\` cannot hold 0.10. Sums of them depend on the order of the rows, so a total that was right yesterday is a
cent off today, and comparing it with an invoice fails.`,
  instead: 'Use `numeric` with as many decimals as the amount needs, or `bigint` for the smallest unit.',
  examples: {
    bad: [
      { title: 'a price', up: 'create table products (id bigint primary key, unit_price double precision not null);' },
      {
        title: 'a balance that becomes one',
        before: 'create table accounts (id bigint primary key, balance numeric not null);',
        up: 'alter table accounts alter column balance type real;',
      },
    ],
    good: [
      { title: 'a number', up: 'create table products (id bigint primary key, unit_price numeric(12, 4) not null);' },
      {
        title: 'a measure may be a float',
        up: 'create table probes (id bigint primary key, temperature double precision, cost_center_load real);',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^(real|double precision)(\[\])?$/.test(column.type) || !meansMoney(column.name)) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} sounds like money, and ${column.type} cannot hold 0.10.`,
        `Write \`${column.name} numeric(14, 2)\`.`,
      )
    }
  },
}

const amounts =
  /^(price|prices|amount|cost|costs|balance|total|subtotal|fee|fees|tax|taxes|vat|salary|wage|revenue|payment|payout|deposit|refund|budget|invoice|credit|debit|discount|usd|eur|gbp)$/
const measures =
  /^(ratio|rate|percent|percentage|pct|factor|weight|score|share|count|ms|seconds|bytes|center|load|model|estimate|probability)$/

/** A word for money, and none that makes a measure of it, such as `discount_rate`. */
function meansMoney(name: string): boolean {
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/)
  return words.some(word => amounts.test(word)) && !words.some(word => measures.test(word))
}

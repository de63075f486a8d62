import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-xml',
  category: 'types',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A column holds XML',
  why: `\`xml\` has no comparison, so it can be neither sorted, grouped, made distinct nor indexed, and servers that were built without libxml
refuse every value.`,
  instead: 'Use `text` for a document that is only kept, and `jsonb` or columns for what is searched.',
  examples: {
    bad: [{ title: 'an invoice as it came', up: 'create table invoices (id bigint primary key, document xml);' }],
    good: [{ title: 'as text', up: 'create table invoices (id bigint primary key, document text);' }],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (!/^xml(\[\])?$/.test(column.type)) continue
      yield columnProblem(view, column, `${column.table}.${column.name} is xml, which cannot be compared or indexed.`)
    }
  },
}

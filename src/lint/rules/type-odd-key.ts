import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-odd-key',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A primary key is of a type that does not identify',
  why: `Two arrays or JSON values that mean the same may differ, and the other way round; a float is equal only by chance; an instant is shared
by rows of one transaction. Large values also fail to insert, since an entry of an index may not exceed a third of a page.`,
  instead: 'Give the row a key of its own (`uuid` or `bigint`), and make what must not repeat a unique key beside it.',
  examples: {
    bad: [
      { title: 'JSON as a key', up: 'create table settings (scope jsonb primary key, value text);' },
      { title: 'an array within a key', up: 'create table routes (id bigint, path text[], primary key (id, path));' },
      { title: 'a float', up: 'create table levels (level double precision primary key);' },
    ],
    good: [
      { title: 'a text', up: 'create table settings (scope text primary key, value jsonb);' },
      {
        title: 'an instant beside an id',
        up: 'create table readings (probe_id bigint, read_at timestamptz, primary key (probe_id, read_at));',
      },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      if (column.key === null) continue
      const alone = column.key === 'alone' && column.type.startsWith('timestamp')
      if (!alone && !/\[\]$|^(jsonb?|real|double precision|money|box|point|polygon|tsvector)$/.test(column.type))
        continue
      yield columnProblem(
        view,
        column,
        `The primary key of ${column.table} holds ${column.name} of type ${column.type}, which does not identify a row.`,
      )
    }
  },
}

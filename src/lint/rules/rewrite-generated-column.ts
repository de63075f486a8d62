import { columnsAdded, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'rewrite-generated-column',
  category: 'rewrites',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_GENERATED'],
  title: 'A stored generated column is added, so the whole table is written anew',
  why: `\`generated always as (…) stored\` is computed for every row that is there: the table and its indexes are written anew under
\`ACCESS EXCLUSIVE\`. A virtual one (PostgreSQL 18) is computed when it is read and costs nothing to add.`,
  instead: `Add a plain column, fill it by a trigger for new rows and in batches for old ones; or compute it in a view, or on PostgreSQL 18 or later
as \`virtual\`.`,
  examples: {
    bad: [
      {
        title: 'on a table in use',
        before: 'create table boxes (id bigint primary key, width int, height int);',
        up: 'alter table boxes add column area int generated always as (width * height) stored;',
      },
    ],
    good: [
      {
        title: 'with the table',
        up: 'create table boxes (id bigint primary key, width int, height int, area int generated always as (width * height) stored);',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const { name, generated } of columnsAdded(view)) {
      if (generated !== 'stored') continue
      yield {
        message: `Nobody can use ${sized(view, table)} until every row is written anew with its ${name}.`,
        object: `${table}.${name}`,
      }
    }
  },
}

import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-system',
  category: 'types',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A column holds a number that means something on this server only',
  why: `The types \`regproc\`, \`regprocedure\`, \`regoper\`, \`regoperator\`, \`regconfig\`, \`regdictionary\`, \`regnamespace\` and \`regcollation\` hold
numbers of catalog rows, which differ after a restore; \`pg_upgrade\` refuses a database with such a column. \`oid\` and \`xid\` have the same
fault, and 32 bits that wrap around.`,
  instead:
    'Store the name as `text`, and cast it where it is used; use `bigint` for a counter and for a transaction id.',
  examples: {
    bad: [
      {
        title: 'which function to call',
        up: 'create table jobs (id bigint primary key, handler regprocedure not null);',
      },
      { title: 'a large object', up: 'create table files (id bigint primary key, content oid);' },
    ],
    good: [
      { title: 'the name of the function', up: 'create table jobs (id bigint primary key, handler text not null);' },
    ],
  },
  *check(view) {
    for (const column of madeColumns(view)) {
      const refused = /^reg(proc|procedure|oper|operator|config|dictionary|namespace|collation)(\[\])?$/.test(
        column.type,
      )
      if (!refused && !/^(oid|xid|cid|tid|regclass|regtype|regrole)(\[\])?$/.test(column.type)) continue
      const then = refused ? 'pg_upgrade refuses the database' : 'it means nothing after a restore'
      yield columnProblem(view, column, `${column.table}.${column.name} is of type ${column.type}: ${then}.`)
    }
  },
}

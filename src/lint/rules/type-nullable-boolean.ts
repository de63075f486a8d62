import { alterations } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { columnKinds, columnProblem, madeColumns } from '../subjects/columns.ts'

export const rule: StatementRule = {
  name: 'type-nullable-boolean',
  category: 'types',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: columnKinds,
  alters: ['ColumnDef'],
  title: 'A yes or no has three answers',
  why: `A nullable boolean is true, false or unknown. \`where not archived\` leaves the unknown rows out, and so does \`where archived\`; every
reader must remember that.`,
  instead:
    'Add `not null default false`; where unknown is a real answer, give it a name in a text column with a check.',
  examples: {
    bad: [
      { title: 'without a default', up: 'create table documents (id bigint primary key, archived boolean);' },
      {
        title: 'a default does not keep null out',
        up: 'create table documents (id bigint primary key, archived boolean default false);',
      },
    ],
    good: [
      {
        title: 'two answers',
        up: 'create table documents (id bigint primary key, archived boolean not null default false);',
      },
    ],
  },
  *check(view) {
    if (alterations(view).some(({ kind }) => kind === 'SetNotNull' || kind === 'AlterColumnType')) return
    for (const column of madeColumns(view)) {
      if (column.type !== 'boolean' || !column.nullable) continue
      yield columnProblem(
        view,
        column,
        `${column.table}.${column.name} is a boolean that may be null, which neither a test nor its opposite finds.`,
        `Write \`${column.name} boolean not null default false\`.`,
      )
    }
  },
}

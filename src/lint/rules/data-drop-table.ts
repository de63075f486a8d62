import { textOf } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { dropped, dropsSeen, inUse, isOpaque, opaqueKinds, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-drop-table',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt', ...opaqueKinds],
  title: 'A table with its rows is dropped',
  why: `Every row goes, and whatever still reads or writes the table fails from then on. An apply moves the table into the archive first, and the
opposite step brings it back; whoever runs the SQL by other means has nothing.`,
  instead: `Stop using the table, watch that nobody reads it, and drop it in a later file; then allow it here with that reason. The archive keeps it
for the rollback.`,
  examples: {
    bad: [
      {
        title: 'a table in use',
        before: 'create table users (id bigint);',
        up: 'drop table users;',
      },
      {
        title: 'hidden in a block',
        before: 'create table users (id bigint);',
        up: "do $$ begin execute 'drop table users'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'made in the same file',
        up: 'create table users (id bigint);\ndrop table users;',
      },
      {
        title: 'a temporary one',
        up: 'create temporary table picked (id bigint);\ndrop table picked;',
      },
    ],
  },
  *check(view) {
    const cascade = textOf(view.fields, 'behavior') === 'DROP_CASCADE' && !view.seen
    for (const table of new Set(tablesOf(view)))
      yield {
        message: `${sized(view, table)} is dropped with all its rows${cascade ? ' and whatever depends on it' : ''}.`,
        object: table,
      }
  },
}

function tablesOf(view: StatementView): readonly string[] {
  if (isOpaque(view)) return dropsSeen(view, 'table').map(({ name }) => name)
  return ['TABLE', 'FOREIGN_TABLE'].flatMap(type => dropped(view, type)).flatMap(name => inUse(view, name) ?? [])
}

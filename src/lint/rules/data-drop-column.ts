import { holds, isSame } from '../catalog.ts'
import { alterations, columnsAdded, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { dropsSeen, inUse, isOpaque, opaqueKinds, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-drop-column',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt', ...opaqueKinds],
  alters: ['DropColumn'],
  title: 'A column with its values is dropped',
  why: `The values go, and the version of the application that still runs fails as soon as it names the column. An apply copies the values into the
archive first, and the opposite step brings them back; whoever runs the SQL by other means has nothing.`,
  instead: `Ship an application that does not name the column, then drop it in a later file and allow it here with that reason. The archive keeps the
values for the rollback.`,
  examples: {
    bad: [
      {
        title: 'of a table in use',
        before: 'create table users (id bigint primary key, name text);',
        up: 'alter table users drop column name;',
      },
      {
        title: 'hidden in a block',
        before: 'create table users (id bigint primary key, name text);',
        up: "do $$ begin execute 'alter table users drop column name'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'added by the same file',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column helper text;\nalter table users drop column helper;',
      },
      {
        title: 'a table of the same file',
        up: 'create table users (id bigint primary key, name text);\nalter table users drop column name;',
      },
    ],
  },
  *check(view) {
    for (const { table, column } of columnsOf(view))
      yield {
        message: `${column} of ${sized(view, table)} is dropped with all its values.`,
        object: `${table}.${column}`,
      }
  },
}

interface Dropped {
  readonly table: string
  readonly column: string
}

function columnsOf(view: StatementView): readonly Dropped[] {
  if (isOpaque(view)) {
    const tables = dropsSeen(view, 'table').map(({ name }) => name)
    return dropsSeen(view, 'column').flatMap(({ name, of }) =>
      of === null || tables.includes(of) ? [] : [{ table: of, column: name.slice(of.length + 1) }],
    )
  }
  const table = inUse(view, targetOf(view))
  if (table === null) return []
  return alterations(view)
    .filter(({ kind, name }) => kind === 'DropColumn' && wasThere(view, table, name))
    .map(({ name }) => ({ table, column: name }))
}

function wasThere({ file, statement }: StatementView, table: string, column: string): boolean {
  if (file.before) return holds(file.before, { kind: 'column', name: `${table}.${column}` })
  return !statementsOf(file, 'AlterTableStmt').some(
    earlier =>
      earlier.statement.index < statement.index &&
      isSame(table, targetOf(earlier)) &&
      columnsAdded(earlier).some(({ name }) => name === column),
  )
}

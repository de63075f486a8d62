import { fieldsOf, relationName, textOf } from '../../sql/tree.ts'
import { isSame } from '../catalog.ts'
import { targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { inUse, opaqueKinds, renamesSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-rename-table',
  category: 'compatibility',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['RenameStmt', 'AlterObjectSchemaStmt', ...opaqueKinds],
  title: 'A table or view is renamed or moved under the feet of whoever uses it',
  why: `The version of the application that still runs names the old table and fails at once; so do functions, whose bodies are text. A view of
the old name in the same transaction keeps simple reads and writes going.`,
  instead: `Create a view of the old name in the same file, change the readers, and drop the view in a later file.`,
  examples: {
    bad: [
      {
        title: 'renamed',
        before: 'create table users (id bigint);',
        up: 'alter table users rename to people;',
      },
      {
        title: 'moved to another schema',
        before: 'create schema shop;\ncreate table users (id bigint);',
        up: 'alter table users set schema shop;',
      },
    ],
    good: [
      {
        title: 'with a view of the old name',
        before: 'create table users (id bigint);',
        up: 'alter table users rename to people;\ncreate view users as select * from people;',
      },
      {
        title: 'made in the same file',
        up: 'create table users (id bigint);\nalter table users rename to people;',
      },
    ],
  },
  *check(view) {
    for (const { name, newName } of renamesSeen(view, 'table', 'view', 'materialized view'))
      yield { message: `Whoever names ${name} fails once code that this runs has named it ${newName}.`, object: name }
    const type = textOf(view.fields, 'renameType') || textOf(view.fields, 'objectType')
    if (!/^OBJECT_(TABLE|VIEW|MATVIEW|FOREIGN_TABLE)$/.test(type)) return
    const written = targetOf(view)
    const table = inUse(view, written)
    if (table === null || isStandIn(view, written)) return
    const next = textOf(view.fields, 'newname') || `in schema ${textOf(view.fields, 'newschema')}`
    yield { message: `Whoever names ${table} fails once it is ${next}.`, object: table }
  },
}

/** A later statement puts something of the old name in its place. */
function isStandIn({ file, statement }: StatementView, old: string): boolean {
  return file.statements.some(({ statement: later, fields }) => {
    if (later.index <= statement.index) return false
    const made =
      relationName(fieldsOf(fields, 'view')) ||
      (later.kind === 'CreateStmt' ? relationName(fieldsOf(fields, 'relation')) : '') ||
      relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel'))
    const { schemaname } = fieldsOf(fields, 'relation')
    const swapped = later.kind === 'RenameStmt' ? relationName({ schemaname, relname: fields['newname'] }) : ''
    return [made, swapped].some(name => name !== '' && (isSame(name, old) || isSame(old, name)))
  })
}
